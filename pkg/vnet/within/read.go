package within

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
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

// Read reads n namespaces in turn: open gives a descriptor of the one with that number, which
// is closed; an error of it is got's. got is called for each in their order, and not after
// Read has returned. Somebody else may keep the kernel from an answer: Read waits for it as
// long as ctx lasts.
func Read(ctx context.Context, n int, want Want, open func(i int) (int, error), got func(i int, ns *Namespace, err error)) error {
	type result struct {
		i   int
		ns  *Namespace
		err error
	}
	results, failed := make(chan result), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		// The thread ends with the function: it is never back in its own namespace.
		runtime.LockOSThread()
		defer close(results)
		r, err := newReader(want)
		if err != nil {
			failed <- err
			return
		}
		defer r.close()
		for i := range n {
			ns, err := r.read(func() (int, error) { return open(i) })
			select {
			case results <- result{i, ns, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case r, more := <-results:
			if !more {
				select {
				case err := <-failed:
					return err
				default:
					return nil
				}
			}
			got(r.i, r.ns, r.err)
		}
	}
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
