package daemon

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
)

// hangupSignal tells of SIGHUP. It is to be called before plugins are started, so that one that comes meanwhile is not
// lost.
func hangupSignal() chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// reloadOnHangup begins to replace plugins on SIGHUP, until ctx ends: the configuration is read again, and every
// plugin in it gets a new process. One that cannot goes on as it is, and the log says why.
func reloadOnHangup(ctx context.Context, hangups chan os.Signal, o Options, h *pluginhost.Host, dir string, kinds []string) {
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				reloadAll(ctx, o, h, dir, kinds)
			}
		}
	}()
}

func reloadAll(ctx context.Context, o Options, h *pluginhost.Host, dir string, kinds []string) {
	settings, err := config.Load(o.Path)
	if err != nil {
		o.Log.Error("configuration is not taken; plugins go on as they are", "error", err)
		return
	}
	specs, err := pluginSpecs(settings, dir, kinds...)
	if err != nil {
		o.Log.Error("plugins go on as they are", "error", err)
		return
	}
	for _, s := range specs {
		if err := h.Reload(ctx, s); err != nil {
			o.Log.Error("plugin goes on as it is", "kind", s.Kind, "plugin", s.Name, "error", err)
			continue
		}
		o.Log.Info("plugin was reloaded", "kind", s.Kind, "plugin", s.Name)
	}
}
