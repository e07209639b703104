package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/version"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// agentLink hands what the master says to the machine.
type agentLink struct{ daemon *agentDaemon }

func (l agentLink) Hello() *linkv1.Hello {
	s := l.daemon.loop.State()
	return &linkv1.Hello{Version: version.Mezzo(), AgentId: s.AgentID, Instance: s.Instance, Epoch: s.Epoch}
}

func (l agentLink) Welcomed(conn, master string, epoch uint64, w *linkv1.Welcome) {
	l.daemon.loop.Post(agent.MasterConnected{Conn: agent.ConnID(conn), Epoch: epoch, Address: master, Welcome: w})
}

func (l agentLink) Received(conn string, msg *linkv1.ToAgent) {
	l.daemon.loop.Post(agent.MasterMessage{Conn: agent.ConnID(conn), Msg: msg})
}

func (l agentLink) Gone(conn string) { l.daemon.loop.Post(agent.MasterGone{Conn: agent.ConnID(conn)}) }

// masterPort sends to the master.
type masterPort struct{ daemon *agentDaemon }

func (p masterPort) Send(conn agent.ConnID, msg *linkv1.ToMaster) {
	p.daemon.client.Send(string(conn), msg)
}
func (p masterPort) Redial(conn agent.ConnID) { p.daemon.client.Redial(string(conn)) }

// durablePort writes what must survive the machine.
type durablePort struct{ daemon *agentDaemon }

func (p durablePort) Sync(id uint64, op agent.Durable) {
	p.daemon.durable.Apply(op, func(err error) {
		if err != nil {
			p.daemon.fail(fmt.Errorf("write the agent's identity: %w", err))
			return
		}
		p.daemon.loop.Post(agent.Synced{ID: id})
	})
}

func (a *agentDaemon) fail(err error) {
	select {
	case a.failed <- err:
	default: // it is ending already
	}
}

// sandboxPort deletes sandboxes.
type sandboxPort struct{ daemon *agentDaemon }

func (p sandboxPort) Remove(dir string) {
	go func() {
		removed := agent.SandboxRemoved{Directory: dir}
		if err := removeBelow(p.daemon.conf.WorkDir, dir); err != nil {
			removed.Err = err.Error()
		}
		p.daemon.loop.Post(removed)
	}()
}

// removeBelow removes a directory and the directories above it that are left empty, up to root.
func removeBelow(root, dir string) error {
	rel, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return fmt.Errorf("%s is not below %s", dir, root)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for parent := filepath.Dir(dir); strings.HasPrefix(parent, root+string(filepath.Separator)); parent = filepath.Dir(parent) {
		if err := os.Remove(parent); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil // not empty: somebody else's
		}
	}
	return nil
}

// processPort ends the daemon.
type processPort struct{ daemon *agentDaemon }

func (p processPort) Exit(e agent.Exit) {
	select {
	case p.daemon.exited <- e:
	default: // it is ending already
	}
}

// authorizerPort asks whether tasks may run here.
type authorizerPort struct {
	daemon *agentDaemon
	ctx    context.Context //nolint:containedctx // the life of the agent
}

func (p authorizerPort) Authorize(q agent.Authorize) {
	go func() {
		answer := agent.Authorized{Container: q.Container}
		ctx, cancel := context.WithTimeout(p.ctx, p.daemon.conf.LaunchTimeout)
		defer cancel()
		err := p.ask(ctx, q)
		var denied *access.DeniedError
		switch {
		case err == nil:
		case errors.As(err, &denied):
			answer.Denied = denied.Error()
		default:
			answer.Unavailable = err.Error()
		}
		p.daemon.loop.Post(answer)
	}()
}

// ask asks until somebody answers or ctx ends.
func (p authorizerPort) ask(ctx context.Context, q agent.Authorize) error {
	framework, task := &mesos.FrameworkInfo{}, &mesos.TaskInfo{}
	if err := errors.Join(proto.Unmarshal(q.Framework, framework), proto.Unmarshal(q.Task, task)); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	object := taskObject(framework, task)
	// A framework's principal counts where callers are asked who they are; elsewhere anybody could claim it.
	who := access.Anonymous
	if p.daemon.conf.Authentication != nil {
		who.Name = framework.GetPrincipal()
	}
	for {
		_, err := p.daemon.control.Check(ctx, who, authorizer.RunTask, object)
		var down *access.UnavailableError
		if !errors.As(err, &down) || ctx.Err() != nil {
			return err
		}
		if !sleep(ctx, authorizerPoll) {
			return err
		}
	}
}

// taskObject is a task that is to run, as a policy sees it.
func taskObject(f *mesos.FrameworkInfo, t *mesos.TaskInfo) *access.Task {
	roles := f.GetRoles()
	if len(roles) == 0 {
		roles = []string{f.GetRole()}
	}
	role := ""
	for _, r := range t.GetResources() {
		role = r.GetAllocationInfo().GetRole()
	}
	return &access.Task{
		ID: t.GetTaskId().GetValue(), Role: role, Agent: t.GetAgentId().GetValue(), Info: func() *mesos.TaskInfo { return t },
		Framework: &access.Framework{
			ID: f.GetId().GetValue(), Name: f.GetName(), User: f.GetUser(), Principal: f.GetPrincipal(), Roles: roles,
			Labels: f.GetLabels,
		},
	}
}
