package pluginhost

import (
	"context"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// exited is closed when the process has ended; it is nil, which never is, before there is one.
func (l *link) exited() <-chan struct{} {
	if p := l.process.Load(); p != nil {
		return p.Exited()
	}
	return nil
}

// exitedWithin waits for the end of the process.
func (l *link) exitedWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.exited():
		return true
	case <-timer.C:
		return false
	}
}

// stop ends the process: it is asked over the connection, then with SIGTERM, then killed with all that it
// started. Only when it is gone go-plugin is told, whose Kill would wait for a process that is stopped.
func (l *link) stop(o Options) {
	if l.conn != nil && l.shutdown(o) && l.exitedWithin(o.StopTimeout) {
		l.end(o)
		return
	}
	if p := l.process.Load(); p != nil {
		_ = p.Terminate()
		l.exitedWithin(o.StopTimeout)
	}
	l.end(o)
}

// shutdown asks the plugin to end. A process that is ending cannot always answer, so only a deadline that
// passes means that it did not hear, or the answer that it has no such call, as in other languages than Go.
func (l *link) shutdown(o Options) bool {
	ctx, cancel := context.WithTimeout(context.Background(), o.StopTimeout)
	defer cancel()
	err := l.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	return ctx.Err() == nil && status.Code(err) != codes.Unimplemented
}

// drain lets the plugin finish what it does.
func (l *link) drain(o Options) {
	ctx, cancel := context.WithTimeout(context.Background(), o.StopTimeout)
	defer cancel()
	_, _ = pluginv1.NewPluginServiceClient(l.conn).Drain(ctx, &pluginv1.DrainRequest{})
}

// end kills what is left and removes every trace.
func (l *link) end(o Options) {
	if p := l.process.Load(); p != nil {
		_ = p.Kill(context.Background())
		<-p.Exited()
	}
	if l.cgroup != nil {
		if err := l.cgroup.Remove(); err != nil {
			o.Logger.Warn("plugin has left something in its cgroup", "error", err)
		}
	}
	if l.conn != nil {
		l.client.Kill()
	}
	if l.dir != "" {
		_ = os.RemoveAll(l.dir)
	}
}
