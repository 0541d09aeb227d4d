package terminal

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/term"
)

// rawMode is a terminal that was put into raw mode. A nil one is no terminal, and
// all that can be done with it does nothing.
type rawMode struct {
	mu  sync.Mutex
	fd  int
	old *term.State // nil: restored
}

// makeRaw returns nil if f is no terminal.
func makeRaw(f *os.File) (*rawMode, error) {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return nil, nil
	}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot put the terminal into raw mode: %w", err)
	}
	return &rawMode{fd: fd, old: old}, nil
}

// again makes the terminal raw once more: the shell that continued us after a stop
// has set it to its own liking.
func (r *rawMode) again() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.old != nil {
		// If it fails the terminal is gone, which the next read finds out.
		_, _ = term.MakeRaw(r.fd)
	}
}

// pause sets the terminal back until again is called.
func (r *rawMode) pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.old != nil {
		_ = term.Restore(r.fd, r.old)
	}
}

// restore sets the terminal back, once.
func (r *rawMode) restore() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.old != nil {
		_ = term.Restore(r.fd, r.old)
		r.old = nil
	}
}

// run calls f in a goroutine. If it panics, the terminal is restored before the
// program ends, so that the message can be read and the shell be used.
func (r *rawMode) run(f func()) {
	go func() {
		defer func() {
			if p := recover(); p != nil {
				r.restore()
				panic(p)
			}
		}()
		f()
	}()
}

// size is the size of the first of the files that is a terminal.
func size(files ...*os.File) (rows, cols uint16, ok bool) {
	for _, f := range files {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return uint16(h), uint16(w), true
		}
	}
	return 0, 0, false
}
