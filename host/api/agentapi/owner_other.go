//go:build !unix

package agentapi

import (
	"io/fs"
	"sync"
)

// nonblock is for systems on which opening a pipe may wait.
const nonblock = 0

// owners would find the names of users and groups.
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
	return file{mode: uint32(info.Mode().Perm()), nlink: 1}
}
