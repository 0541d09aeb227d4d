package within

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
)

// Want is what is read of a namespace.
type Want uint8

// What there is.
const (
	Links Want = 1 << iota
	Addresses
)

// Namespace is what was read of one. An interface's addresses have its index.
type Namespace struct {
	Interfaces []Interface
	Addresses  []Address
}

// Result is what became of one namespace.
type Result struct {
	Namespace *Namespace
	Err       error
}

// Read reads n namespaces in turn: open gives a descriptor of the one with that number, which
// is closed. Somebody else may keep the kernel from an answer: it is waited for as long as ctx
// lasts, and then what has been read is given, with the context's error for the rest. open may
// be running still by then.
func Read(ctx context.Context, n int, want Want, open func(i int) (int, error)) []Result {
	var mu sync.Mutex // not a channel: to wake a goroutine for each takes as long as the reading
	var read []Result
	done := make(chan error, 1)
	go func() {
		// The thread ends with the function: it is never back in its own namespace.
		done <- ownthread.Run(func() error {
			return readAll(ctx, n, want, open, func(r Result) {
				mu.Lock()
				defer mu.Unlock()
				read = append(read, r)
			})
		})
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	mu.Lock()
	defer mu.Unlock()
	all := append(make([]Result, 0, n), read...)
	for len(all) < n {
		all = append(all, Result{Err: err})
	}
	return all
}

func readAll(ctx context.Context, n int, want Want, open func(i int) (int, error), each func(Result)) error {
	r, err := newReader(want)
	if err != nil {
		return err
	}
	defer r.close()
	for i := range n {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		ns, err := r.read(func() (int, error) { return open(i) })
		each(Result{ns, err})
	}
	return nil
}

// reader reads namespaces, on a thread of its own.
type reader struct {
	own  int // the namespace that it was in at first
	want Want
	buf  []byte
}

// receiveSize is as much as the kernel gives at once.
const receiveSize = 32 << 10

func newReader(want Want) (*reader, error) {
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open network namespace: %w", err)
	}
	return &reader{own, want, make([]byte, receiveSize)}, nil
}

func (r *reader) close() { unix.Close(r.own) }

func (r *reader) read(open func() (int, error)) (*Namespace, error) {
	fd, err := open()
	if err != nil {
		return nil, err
	}
	err = unix.Setns(fd, unix.CLONE_NEWNET)
	unix.Close(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot enter network namespace: %w", err)
	}
	return r.readHere()
}

// readHere reads the namespace that the thread is in.
func (r *reader) readHere() (*Namespace, error) {
	s, err := open(r.buf)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ns := &Namespace{}
	if r.want&Links != 0 {
		if ns.Interfaces, err = s.links(); err != nil {
			return nil, fmt.Errorf("cannot read interfaces: %w", err)
		}
		if err := s.outside(ns.Interfaces, r.own); err != nil {
			return nil, fmt.Errorf("cannot read the number of a namespace: %w", err)
		}
	}
	if r.want&Addresses != 0 {
		if ns.Addresses, err = s.addresses(); err != nil {
			return nil, fmt.Errorf("cannot read addresses: %w", err)
		}
	}
	return ns, nil
}
