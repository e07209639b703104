package master

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// mesosErrorf is an error that frameworks are told of, as Mesos puts it or would: they and their operators know
// the texts, which begin with a capital letter as often as not.
func mesosErrorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// checkSubscription says why a subscription is refused, or compiles what the allocator gets of it.
func (m *Master) checkSubscription(ev Subscribe) (allocatorParts, error) {
	id := ev.Info.GetId().GetValue()
	if id != "" {
		if err := validateID(id); err != nil {
			return allocatorParts{}, fmt.Errorf("'FrameworkInfo.id' is invalid: %w", err)
		}
	}
	if m.completedFramework(id) {
		return allocatorParts{}, mesosErrorf("Framework has been removed")
	}
	parts, err := m.checkInfo(ev.Info, ev.Suppressed, ev.Constraints)
	if err != nil {
		return parts, err
	}
	if f, _ := m.s.frameworks.get(id); f != nil {
		principal := ev.Info.GetPrincipal()
		if principal == "" {
			principal = ev.Principal
		}
		if err := checkPrincipal(f.Principal, principal); err != nil {
			return parts, err
		}
	}
	if ev.Denied != "" {
		return parts, errors.New(ev.Denied)
	}
	return parts, nil
}

// checkUpdate says why an UPDATE_FRAMEWORK is refused.
func (m *Master) checkUpdate(f *Framework, info *mesos.FrameworkInfo, suppressed []string,
	constraints *scheduler.OfferConstraints,
) (allocatorParts, error) {
	parts, err := m.checkInfo(info, suppressed, constraints)
	if err != nil {
		return parts, err
	}
	switch {
	case info.GetId().GetValue() != f.ID:
		return parts, errors.New("'FrameworkInfo.id' cannot be changed")
	case info.GetUser() != f.User:
		return parts, mesosErrorf(
			"Updating 'FrameworkInfo.user' is unsupported; attempted to update from '%s' to '%s'",
			f.User, info.GetUser())
	case info.GetCheckpoint() != f.Checkpoint:
		return parts, mesosErrorf("Updating 'FrameworkInfo.checkpoint' is unsupported")
	}
	principal := info.GetPrincipal()
	if principal == "" {
		principal = f.Principal
	}
	return parts, checkPrincipal(f.Principal, principal)
}

func checkPrincipal(was, is string) error {
	if was != is {
		return mesosErrorf(
			"Updating 'FrameworkInfo.principal' is unsupported; attempted to update from '%s' to '%s'",
			was, is)
	}
	return nil
}

// checkInfo says what is wrong with a framework's description itself.
func (m *Master) checkInfo(info *mesos.FrameworkInfo, suppressed []string,
	constraints *scheduler.OfferConstraints,
) (allocatorParts, error) {
	var parts allocatorParts
	if err := checkRoles(info); err != nil {
		return parts, err
	}
	if err := checkFailoverTimeout(info); err != nil {
		return parts, err
	}
	if err := m.checkAllowed(info); err != nil {
		return parts, err
	}
	roles := rolesOf(info)
	if unknown := without(suppressed, roles); len(unknown) > 0 {
		return parts, mesosErrorf("Suppressed roles %s are not contained in the set of roles", braces(unknown))
	}
	least, err := leastOf(info)
	if err != nil {
		return parts, err
	}
	compiled, err := constraintsOf(constraints)
	return allocatorParts{least: least, constraints: compiled}, err
}

// checkAllowed checks against what this master allows.
func (m *Master) checkAllowed(info *mesos.FrameworkInfo) error {
	if m.cfg.NoRootSubmissions && info.GetUser() == "root" {
		return mesosErrorf("User 'root' is not allowed to run frameworks without '--root_submissions' set")
	}
	return nil
}

func checkRoles(info *mesos.FrameworkInfo) error {
	multi := capabilitiesOf(info).MultiRole()
	role := info.GetRole() //nolint:staticcheck // what frameworks without MULTI_ROLE have
	switch {
	case multi && info.Role != nil: //nolint:staticcheck // as above
		return errors.New("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable")
	case !multi && len(info.GetRoles()) > 0:
		return errors.New("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable")
	case !multi:
		if err := resource.ValidateRole(role); err != nil {
			return fmt.Errorf("'FrameworkInfo.role' is not a valid role: %w", err)
		}
		return nil
	}
	if dup := duplicates(info.GetRoles()); len(dup) > 0 {
		return fmt.Errorf("'FrameworkInfo.roles' contains duplicate items: %s", braces(dup))
	}
	for _, role := range info.GetRoles() {
		if err := resource.ValidateRole(role); err != nil {
			return fmt.Errorf("'FrameworkInfo.roles' contains invalid role: %w", err)
		}
	}
	return nil
}

// maxFailover is the longest time that Mesos can hold: nanoseconds in 64 bits.
const maxFailover = float64(math.MaxInt64) / float64(time.Second)

func checkFailoverTimeout(info *mesos.FrameworkInfo) error {
	if s := info.GetFailoverTimeout(); math.IsNaN(s) || math.Abs(s) >= maxFailover {
		return mesosErrorf("Invalid 'FrameworkInfo.failover_timeout': %v seconds", s)
	}
	return nil
}

// failoverTimeout is how long a framework may be away; a negative time is none.
func failoverTimeout(info *mesos.FrameworkInfo) time.Duration {
	return time.Duration(max(0, info.GetFailoverTimeout()) * float64(time.Second))
}

// without returns what is not in known, in order and each once.
func without(in, known []string) []string {
	out := slices.DeleteFunc(slices.Clone(in), func(s string) bool { return slices.Contains(known, s) })
	slices.Sort(out)
	return slices.Compact(out)
}

func duplicates(in []string) []string {
	sorted := slices.Clone(in)
	slices.Sort(sorted)
	var dup []string
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			dup = append(dup, sorted[i])
		}
	}
	return slices.Compact(dup)
}

// braces writes a set as Mesos does: { a, b }.
func braces(items []string) string { return "{ " + strings.Join(items, ", ") + " }" }

// maxIDLength is how long an id of a framework, agent, executor or task may be.
const maxIDLength = 255

// validateID says why something cannot be an id, which is part of paths on agents.
func validateID(id string) error {
	switch {
	case id == "":
		return mesosErrorf("ID must not be empty")
	case len(id) > maxIDLength:
		return mesosErrorf("ID must not be greater than %d characters", maxIDLength)
	case id == "." || id == "..":
		return fmt.Errorf("'%s' is disallowed", id)
	}
	if strings.ContainsFunc(id, func(r rune) bool { return unicode.IsControl(r) || r == '/' || r == '\\' }) {
		return fmt.Errorf("'%s' contains invalid characters", id)
	}
	return nil
}
