package resource

import (
	"errors"
	"fmt"
	"strings"
)

// DefaultRole is the role of resources that are reserved for nobody, and of frameworks that name none.
const DefaultRole = "*"

// ValidateRole says why a role's name cannot be used, in Mesos's words. A role is a path of components
// like eng/web; "*" alone is valid.
func ValidateRole(role string) error {
	switch {
	case role == DefaultRole:
		return nil
	case role == "":
		return errors.New("Empty role name is invalid") //nolint:staticcheck // Mesos's words, shown to its clients
	case strings.HasPrefix(role, "/"):
		return fmt.Errorf("Role '%s' cannot start with a slash", role) //nolint:staticcheck // as above
	case strings.HasSuffix(role, "/"):
		return fmt.Errorf("Role '%s' cannot end with a slash", role) //nolint:staticcheck // as above
	case strings.Contains(role, "//"):
		return fmt.Errorf("Role '%s' cannot contain two adjacent slashes", role) //nolint:staticcheck // as above
	}
	for component := range strings.SplitSeq(role, "/") {
		if err := validateRoleComponent(role, component); err != nil {
			return err
		}
	}
	return nil
}

func validateRoleComponent(role, component string) error {
	switch {
	case component == "." || component == ".." || component == DefaultRole:
		return fmt.Errorf("Role '%s' cannot include '%s' as a component", role, component) //nolint:staticcheck // Mesos's words
	case strings.HasPrefix(component, "-"):
		return fmt.Errorf("Role component '%s' is invalid because it starts with a dash", component) //nolint:staticcheck // as above
	case strings.ContainsAny(component, "\x08\t\n\v\f\r "):
		//nolint:staticcheck // as above
		return fmt.Errorf("Role component '%s' is invalid because it contains backspace or whitespace", component)
	}
	return nil
}

// IsStrictSubrole tells whether sub lies below role: eng/web lies below eng, eng does not, engine does not.
func IsStrictSubrole(sub, role string) bool {
	return len(sub) > len(role) && sub[len(role)] == '/' && sub[:len(role)] == role
}

// IsSubrole tells whether sub is role or lies below it.
func IsSubrole(sub, role string) bool { return sub == role || IsStrictSubrole(sub, role) }

// ParentRole is the role above, and false for a role at the top: eng for eng/web.
func ParentRole(role string) (string, bool) {
	i := strings.LastIndexByte(role, '/')
	if i < 0 {
		return "", false
	}
	return role[:i], true
}
