package resource

import "testing"

func TestValidateRole(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"*":       "",
		"eng":     "",
		"eng/web": "",
		"a-b.c/d": "",
		"":        "Empty role name is invalid",
		".":       "Role '.' cannot include '.' as a component",
		"a/../b":  "Role 'a/../b' cannot include '..' as a component",
		"a/*":     "Role 'a/*' cannot include '*' as a component",
		"-x":      "Role component '-x' is invalid because it starts with a dash",
		"a/-x":    "Role component '-x' is invalid because it starts with a dash",
		"a b":     "Role component 'a b' is invalid because it contains backspace or whitespace",
		"a\bb":    "Role component 'a\bb' is invalid because it contains backspace or whitespace",
		"/a":      "Role '/a' cannot start with a slash",
		"a/":      "Role 'a/' cannot end with a slash",
		"a//b":    "Role 'a//b' cannot contain two adjacent slashes",
	} {
		got := ""
		if err := ValidateRole(role); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", role, got, want)
		}
	}
}

func TestSubroles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sub, role        string
		strict, subroles bool
	}{
		{"eng/web", "eng", true, true},
		{"eng/web/x", "eng", true, true},
		{"eng", "eng", false, true},
		{"engine", "eng", false, false},
		{"eng", "eng/web", false, false},
		{"*", "*", false, true},
	} {
		if got := IsStrictSubrole(tc.sub, tc.role); got != tc.strict {
			t.Errorf("IsStrictSubrole(%q, %q) = %t", tc.sub, tc.role, got)
		}
		if got := IsSubrole(tc.sub, tc.role); got != tc.subroles {
			t.Errorf("IsSubrole(%q, %q) = %t", tc.sub, tc.role, got)
		}
	}
	if parent, ok := ParentRole("a/b/c"); parent != "a/b" || !ok {
		t.Errorf("ParentRole(a/b/c) = %q, %t", parent, ok)
	}
	if parent, ok := ParentRole("a"); parent != "" || ok {
		t.Errorf("ParentRole(a) = %q, %t", parent, ok)
	}
}
