//go:build linux

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// eventPoll waits for changes of any number of cgroup files with one goroutine and no thread. The kernel marks such
// a file as having priority data from its change until it is read.
type eventPoll struct {
	epoll *os.File

	mu      sync.Mutex
	watched map[int32]*watched
}

type watched struct {
	file    *os.File
	signals chan struct{}
}

func newEventPoll() (*eventPoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a poll for events: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	p := &eventPoll{epoll: os.NewFile(uintptr(fd), "epoll"), watched: map[int32]*watched{}}
	raw, err := p.epoll.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, p.epoll.Close())
	}
	go func() { _ = raw.Read(func(fd uintptr) bool { p.collect(int(fd)); return false }) }()
	return p, nil
}

// watch gives a value after each change of the file, until stop is called.
func (p *eventPoll) watch(name string) (<-chan struct{}, func(), error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	w := &watched{file: file, signals: make(chan struct{}, 1)}
	fd := int32(file.Fd()) //nolint:gosec // a descriptor
	w.drain()
	p.mu.Lock()
	p.watched[fd] = w
	p.mu.Unlock()
	if err := p.control(unix.EPOLL_CTL_ADD, fd); err != nil {
		p.forget(fd)
		return nil, nil, fmt.Errorf("watch %s: %w", name, err)
	}
	return w.signals, func() { p.forget(fd) }, nil
}

func (p *eventPoll) control(operation int, fd int32) error {
	raw, err := p.epoll.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Control(func(epoll uintptr) {
		result = unix.EpollCtl(int(epoll), operation, int(fd), &unix.EpollEvent{Events: unix.EPOLLPRI, Fd: fd})
	})
	return errors.Join(err, result)
}

// forget stops watching. It may be called twice.
func (p *eventPoll) forget(fd int32) {
	p.mu.Lock()
	w, ok := p.watched[fd]
	delete(p.watched, fd)
	p.mu.Unlock()
	if !ok {
		return
	}
	_ = p.control(unix.EPOLL_CTL_DEL, fd) // closing does it, too
	_ = w.file.Close()
}

// collect passes on what is there.
func (p *eventPoll) collect(epoll int) {
	var events [32]unix.EpollEvent
	for {
		n, err := unix.EpollWait(epoll, events[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		for _, e := range events[:n] {
			p.mu.Lock()
			w := p.watched[e.Fd]
			p.mu.Unlock()
			if w == nil {
				continue
			}
			if !w.drain() { // the cgroup is gone
				p.forget(e.Fd)
			}
			select {
			case w.signals <- struct{}{}:
			default:
			}
		}
	}
}

// drain reads the file, which ends the mark, and tells whether that worked.
func (w *watched) drain() bool {
	var b [512]byte
	_, err := w.file.ReadAt(b[:], 0)
	return err == nil || err.Error() == "EOF"
}
