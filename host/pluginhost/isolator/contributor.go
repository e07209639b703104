package isolator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Facts are what a plugin is to an agent besides an isolator. They hold as long as the agent runs.
type Facts struct {
	// Contributes is what it brings to the agent: unreserved and not allocated.
	Contributes resource.Resources
	// Launches says that it starts containers.
	Launches bool
}

// maxContributed bounds how many resources one plugin may bring.
const maxContributed = 1000

// Facts asks the present process. The error is pluginhost.ErrDown when there is none.
func (i *Isolator) Facts(ctx context.Context) (Facts, error) {
	return i.facts(ctx, i.plugin.Conn(), i.plugin.Description())
}

// Hold keeps the plugin to what it is: a process that says otherwise, the present one or a later, is not used, and the
// error says why. judge is called before a process gets anything to do.
func (i *Isolator) Hold(ctx context.Context, judge func(Facts) error) error {
	i.mu.Lock()
	i.judge = judge
	i.mu.Unlock()
	facts, err := i.Facts(ctx)
	if errors.Is(err, pluginhost.ErrDown) {
		return nil // it is judged when it comes
	}
	if err != nil {
		return err
	}
	return judge(facts)
}

// Launches tells whether the present process starts containers, or the last one did.
func (i *Isolator) Launches() bool { return launches(i.plugin.Description()) }

func launches(d *pluginhost.Description) bool {
	return d != nil && slices.Contains(d.Services, isolatorv1.LauncherService_ServiceDesc.ServiceName)
}

func (i *Isolator) facts(ctx context.Context, conn grpc.ClientConnInterface, d *pluginhost.Description) (Facts, error) {
	f := Facts{Launches: launches(d)}
	if d != nil && !slices.Contains(d.Services, isolatorv1.ContributorService_ServiceDesc.ServiceName) {
		return f, nil
	}
	response, err := isolatorv1.NewContributorServiceClient(conn).Resources(ctx, &isolatorv1.ResourcesRequest{})
	if err != nil {
		return f, i.plugin.Wrap(err)
	}
	if n := len(response.GetResources().GetItems()); n > maxContributed {
		return f, i.plugin.Bug("it contributes %d resources, and %d are allowed", n, maxContributed)
	}
	if f.Contributes, err = resourceconv.FromProto(response.GetResources()); err == nil {
		err = checkContributed(f.Contributes)
	}
	if err != nil {
		return f, i.plugin.Bug("what it contributes: %w", err)
	}
	return f, nil
}

// checkContributed refuses what a machine does not have by itself: to whom resources belong and what is on them is
// said by operators and frameworks.
func checkContributed(all resource.Resources) error {
	for r := range all.All() {
		switch {
		case len(r.Name) > maxText:
			return fmt.Errorf("the name %.80q... is too long", r.Name)
		case len(r.Reservations) > 0:
			return fmt.Errorf("%s is reserved; the role of an agent's resources is the operator's to say (default_role)", r)
		case r.Role != "":
			return fmt.Errorf("%s is allocated to a role", r)
		case r.Disk != nil || r.Shared || r.Revocable || r.Provider != "":
			return fmt.Errorf("%s is a volume, shared, revocable or a provider's, which cannot be contributed", r)
		}
	}
	return nil
}

// judged asks a new process what it is, and whether it may be used.
func (i *Isolator) judged(ctx context.Context, conn grpc.ClientConnInterface, d *pluginhost.Description) error {
	i.mu.Lock()
	judge := i.judge
	i.mu.Unlock()
	if judge == nil {
		return nil
	}
	facts, err := i.facts(ctx, conn, d)
	if err != nil {
		return err
	}
	return judge(facts)
}

// started is called with each process of the plugin but the first.
func (i *Isolator) started(ctx context.Context, conn grpc.ClientConnInterface, d *pluginhost.Description) error {
	if err := i.judged(ctx, conn, d); err != nil {
		return err
	}
	i.mu.Lock()
	recovered := i.recovered
	known := make([]contract.Container, 0, len(i.known))
	for _, c := range i.known {
		known = append(known, c)
	}
	i.mu.Unlock()
	if !recovered {
		return nil // the agent is about to
	}
	return i.restarted(ctx, isolatorv1.NewIsolatorServiceClient(conn), known)
}
