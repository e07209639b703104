package launcher

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// ownNamespaces are those that every container has of its own.
const ownNamespaces = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

var namespaceFlags = map[isolator.NamespaceType]uintptr{
	isolator.PIDNamespace:     unix.CLONE_NEWPID,
	isolator.MountNamespace:   unix.CLONE_NEWNS,
	isolator.IPCNamespace:     unix.CLONE_NEWIPC,
	isolator.UTSNamespace:     unix.CLONE_NEWUTS,
	isolator.NetworkNamespace: unix.CLONE_NEWNET,
	isolator.CgroupNamespace:  unix.CLONE_NEWCGROUP,
}

// cloneFlags are the namespaces that mezzo-init is started in.
func (m *merged) cloneFlags(own bool) uintptr {
	if !own {
		return 0
	}
	flags := uintptr(ownNamespaces)
	for _, n := range m.namespaces {
		if n.Path == "" {
			flags |= namespaceFlags[n.Type]
		}
	}
	return flags
}

// initNamespaces are the namespaces that exist and are to be entered. Those of processes and mounts are always the
// container's own.
func initNamespaces(namespaces []isolator.Namespace, own bool) ([]initproto.Namespace, error) {
	var out []initproto.Namespace
	for _, n := range namespaces {
		flag, ok := namespaceFlags[n.Type]
		switch {
		case !ok:
			return nil, fmt.Errorf("a %s namespace is not something that this agent makes", n.Type)
		case !own:
			return nil, fmt.Errorf("a %s namespace needs an agent with namespaces: Linux, as root", n.Type)
		case n.Path == "":
		case n.Type == isolator.PIDNamespace || n.Type == isolator.MountNamespace:
			return nil, fmt.Errorf("the %s namespace is the container's own, and cannot be %s", n.Type, n.Path)
		default:
			out = append(out, initproto.Namespace{Path: n.Path, Flag: uint64(flag)})
		}
	}
	return out, nil
}

// mountFlags are the options of mount(8) that are flags; all others are the file system's own.
var mountFlags = map[string]uint64{
	"bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "ro": unix.MS_RDONLY, "rw": 0, "nosuid": unix.MS_NOSUID,
	"nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME, "relatime": unix.MS_RELATIME,
	"strictatime": unix.MS_STRICTATIME, "sync": unix.MS_SYNCHRONOUS, "defaults": 0,
}

func initMounts(mounts []isolator.Mount) ([]initproto.Mount, error) {
	out := make([]initproto.Mount, 0, len(mounts))
	for _, m := range mounts {
		if !strings.HasPrefix(m.Destination, "/") {
			return nil, fmt.Errorf("the mount's destination %q is not absolute", m.Destination)
		}
		made := initproto.Mount{Source: m.Source, Target: m.Destination, Type: m.Type}
		if m.Type == "bind" {
			made.Type, made.Flags = "", unix.MS_BIND
		}
		var data []string
		for _, option := range m.Options {
			if flag, ok := mountFlags[option]; ok {
				made.Flags |= flag
			} else {
				data = append(data, option)
			}
		}
		made.Data = strings.Join(data, ",")
		out = append(out, made)
	}
	return out, nil
}

// rlimitNumbers are the limits of setrlimit(2).
var rlimitNumbers = map[string]uint32{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU,
	"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS,
	"RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE,
	"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME,
	"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
}
