package isolator_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// Config is the operator's config block.
type Config struct {
	Folder    string `config:"folder,required" doc:"What containers see, read-only, as shared/ in their sandbox."`
	OpenFiles uint64 `config:"open_files" default:"1024" min:"16" doc:"How many files a process may have open."`
}

// shared shows a folder of the machine in every container. All that it makes is in the sandbox, which goes with its
// container, so there is nothing to recover or to clean up.
type shared struct {
	isolator.PlanOnly
	Config
}

// New returns what only the plugin can judge as a ConfigError, which the host shows at the attribute's line. With a main
// of serve.Isolator("shared", "0.1.0", New) this is a whole plugin.
func New(_ context.Context, _ sdk.Host, c Config) (*shared, error) {
	info, err := os.Stat(c.Folder)
	if err == nil && !info.IsDir() {
		err = errors.New("this is not a folder")
	}
	if err != nil {
		return nil, sdk.ConfigError(err, "folder")
	}
	return &shared{Config: c}, nil
}

// Prepare may come twice for a container, and gives the same plan then.
func (s *shared) Prepare(_ context.Context, spec isolator.Spec) (isolator.Plan, error) {
	at := filepath.Join(spec.Sandbox, "shared") // a mount's destination has to be there
	if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return isolator.Plan{}, sdk.Errorf(sdk.FailedPrecondition, "make the mount point: %w", err)
	}
	return isolator.Plan{
		Env:     []string{"SHARED=" + at},
		Mounts:  []isolator.Mount{{Destination: at, Type: "bind", Source: s.Folder, Options: []string{"ro", "nosuid"}}},
		Rlimits: []isolator.Rlimit{{Type: "RLIMIT_NOFILE", Soft: s.OpenFiles, Hard: s.OpenFiles}},
	}, nil
}

// An isolator that mounts a folder, sets a variable and limits the open files.
func Example() {
	plugin, err := New(context.Background(), sdk.Host{}, Config{Folder: "/", OpenFiles: 1024})
	if err != nil {
		fmt.Println(err)
		return
	}
	sandbox, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(sandbox)
	plan, err := plugin.Prepare(context.Background(), isolator.Spec{Container: isolator.Container{ID: "c"}, Sandbox: sandbox})
	fmt.Println(err, plan.Validate(), plan.Mounts[0].Options, plan.Rlimits)
	// Output: <nil> <nil> [ro nosuid] [{RLIMIT_NOFILE 1024 1024}]
}
