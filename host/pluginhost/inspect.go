package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Inspect starts a program, asks what it is, and ends it. It is not configured. Only s.Binary and what says
// how to run it matter.
func Inspect(ctx context.Context, o Options, s Spec) (_ *Description, err error) {
	o, done, err := o.temporary()
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	i, err := describedInstance(ctx, o, s, newOutput(o.Logger))
	if err != nil {
		return nil, err
	}
	i.endStreams()
	i.stop(o)
	return &i.description, nil
}

// Check starts each plugin, has it judge its configuration, and ends it. It returns everything that is
// wrong, and what the plugins warn of. Nothing else is started, and nothing stays.
func Check(ctx context.Context, o Options, specs []Spec) (warnings []string, err error) {
	o, done, err := o.temporary()
	if err != nil {
		return nil, err
	}
	defer done()
	errs, warned := make([]error, len(specs)), make([][]string, len(specs))
	var checked sync.WaitGroup
	for n, s := range specs {
		checked.Go(func() {
			i, err := newInstance(ctx, o, s, newOutput(o.Logger.With("kind", s.Kind, "plugin", s.Name)))
			if err != nil {
				errs[n] = fmt.Errorf("%s: %w", s, err)
				return
			}
			for _, w := range i.warnings {
				warned[n] = append(warned[n], s.String()+": "+w)
			}
			i.endStreams()
			i.stop(o)
		})
	}
	checked.Wait()
	return slices.Concat(warned...), errors.Join(errs...)
}

// CheckOffline is Check of one plugin by what it said of itself at another time: nothing is started. What only the
// plugin can judge stays unchecked.
func CheckOffline(s Spec, said Description) error {
	_, err := s.Service(said)
	if err == nil && s.Config != nil {
		_, err = s.Config.JSON(said.Schema)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

// With starts a plugin, calls f with it, and ends it. Nothing stays.
func With(ctx context.Context, o Options, s Spec, f func(*Plugin) error) error {
	o, done, err := o.temporary()
	if err != nil {
		return err
	}
	defer done()
	h := New(o)
	if err := h.Start(ctx, []Spec{s}, Strict); err != nil {
		return err
	}
	defer h.Stop()
	return f(h.all()[0])
}

// temporary gives options whose folders are removed when done is called.
func (o Options) temporary() (_ Options, done func(), err error) {
	o = o.withDefaults()
	dir, err := os.MkdirTemp("", "mezzo-check-")
	if err != nil {
		return o, nil, err
	}
	o.RuntimeDir, o.DataDir, o.Cgroup = dir, dir+"/data", "mezzo/"+filepath.Base(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		os.RemoveAll(dir)
		return o, nil, err
	}
	return o, func() { os.RemoveAll(dir) }, nil
}
