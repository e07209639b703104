package access

// Principal is who a request speaks for.
type Principal struct {
	// Name is the principal's name; empty for somebody unknown, and for one known by claims alone.
	Name string
	// Claims are what a token says about its bearer beyond a name.
	Claims map[string]string
}

// Anonymous is everybody who has not said who they are, or has not been asked.
var Anonymous = Principal{}

// IsAnonymous tells whether nothing is known about the principal.
func (p Principal) IsAnonymous() bool { return p.Name == "" && len(p.Claims) == 0 }

// String is the principal as it stands in logs and messages.
func (p Principal) String() string {
	switch {
	case p.Name != "":
		return p.Name
	case len(p.Claims) > 0:
		return "(a principal without a name)"
	}
	return "ANY"
}
