//go:build unix

package agentapi

import (
	"io/fs"
	"os/user"
	"strconv"
	"sync"
	"syscall"
)

// nonblock keeps opening a pipe from waiting for a writer.
const nonblock = syscall.O_NONBLOCK

// owners finds the names of users and groups, each once.
type owners struct {
	mu    *sync.Mutex
	names map[string]string
}

// file is what is shown of a file besides its name, size and time.
type file struct {
	mode     uint32
	nlink    int32
	uid, gid string
}

func (o owners) describe(info fs.FileInfo) file {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return file{mode: uint32(info.Mode().Perm())}
	}
	return file{
		mode: uint32(st.Mode), nlink: int32(st.Nlink), //nolint:gosec,unconvert // the types differ between systems
		uid: o.name("u", st.Uid), gid: o.name("g", st.Gid),
	}
}

func (o owners) name(kind string, id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	o.mu.Lock()
	defer o.mu.Unlock()
	if name, ok := o.names[kind+number]; ok {
		return name
	}
	name := number
	if kind == "u" {
		if u, err := user.LookupId(number); err == nil {
			name = u.Username
		}
	} else if g, err := user.LookupGroupId(number); err == nil {
		name = g.Name
	}
	o.names[kind+number] = name
	return name
}
