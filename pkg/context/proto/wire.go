package proto

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sysct/sysct/pkg/context/mounts"
)

// The packets are written and read by hand, in the order of the fields: the stage is
// a process of milliseconds, and a decoder that learns the types by reflection costs
// it a third of one. Numbers are uvarints, a string or list has its length before it.

// writer appends.
type writer struct{ b []byte }

func (w *writer) num(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *writer) flag(f bool) {
	if f {
		w.num(1)
		return
	}
	w.num(0)
}

func (w *writer) text(s string) {
	w.num(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) texts(list []string) {
	w.num(uint64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *writer) message(m *Message) {
	w.num(uint64(m.Version))
	w.text(m.Kind)
	w.texts(m.FDs)
	w.flag(m.Setup != nil)
	if m.Setup != nil {
		w.setup(m.Setup)
	}
	w.flag(m.Failed != nil)
	if f := m.Failed; f != nil {
		w.texts([]string{f.Step, f.Call, f.Path, f.Text})
		w.num(uint64(f.Errno))
	}
}

func (w *writer) setup(s *Setup) {
	w.text(s.Hostname)
	w.num(uint64(len(s.Init)))
	for _, argv := range s.Init {
		w.texts(argv)
	}
	w.texts(s.Env)
	w.num(uint64(s.TTYs))
	w.flag(s.Loopback)
	w.num(uint64(len(s.Mounts)))
	for _, op := range s.Mounts {
		w.mount(op)
	}
	w.num(uint64(len(s.HostFiles)))
	for _, f := range s.HostFiles {
		w.text(f.Name)
		w.text(f.Content)
		w.num(uint64(f.Mode))
		w.flag(f.Dir)
	}
	w.num(uint64(len(s.Hooks)))
	for _, h := range s.Hooks {
		w.text(h.Name)
		w.num(uint64(len(h.Commands)))
		for _, argv := range h.Commands {
			w.texts(argv)
		}
		w.texts(h.Env)
		w.text(h.Stdin)
	}
	w.num(s.HookTime)
	w.text(s.Place)
	w.num(s.Caps)
	w.text(string(s.Filter))
	w.flag(s.Listener)
	w.text(s.Resolv)
	w.num(uint64(len(s.Rlimits)))
	for _, l := range s.Rlimits {
		w.text(l.Name)
		w.num(uint64(l.Resource))
		w.num(l.Cur)
		w.num(l.Max)
	}
}

func (w *writer) mount(op mounts.Op) {
	w.texts([]string{string(op.Kind), op.Target, op.Source, op.FS, op.FD})
	w.num(uint64(len(op.Options)))
	for _, o := range op.Options {
		w.texts([]string{o.Key, o.Value})
	}
	w.num(uint64(op.Attr))
	w.flag(op.Absent)
}

var errWire = errors.New("it is cut short or has too much")

// reader takes off the front. After the first error all that it gives is empty.
type reader struct {
	b   []byte
	err error
}

func (r *reader) num() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.err = nil, errWire
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count is the length of a list, of which every element takes a byte at least.
func (r *reader) count() int {
	n := r.num()
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errWire
		return 0
	}
	return int(n)
}

func (r *reader) flag() bool { return r.num() != 0 }

func (r *reader) text() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) texts() []string { return list(r, (*reader).text) }

// fixed reads a list of as many strings as there are places for them.
func (r *reader) fixed(places ...*string) {
	got := r.texts()
	if len(got) != len(places) {
		r.b, r.err = nil, errWire
		return
	}
	for i, p := range places {
		*p = got[i]
	}
}

func list[T any](r *reader, one func(*reader) T) []T {
	var all []T
	for range r.count() {
		all = append(all, one(r))
	}
	return all
}

func (r *reader) message() (*Message, error) {
	m := &Message{Version: int(r.num())}
	if r.err == nil && m.Version != Version {
		return nil, fmt.Errorf("version %d, this is %d", m.Version, Version)
	}
	m.Kind, m.FDs = r.text(), r.texts()
	if r.flag() {
		m.Setup = r.setup()
	}
	if r.flag() {
		f := &Failed{}
		r.fixed(&f.Step, &f.Call, &f.Path, &f.Text)
		f.Errno = int(r.num())
		m.Failed = f
	}
	if len(r.b) > 0 {
		r.err = errWire
	}
	return m, r.err
}

func (r *reader) setup() *Setup {
	s := &Setup{Hostname: r.text()}
	s.Init = list(r, (*reader).texts)
	s.Env = r.texts()
	s.TTYs = int(r.num())
	s.Loopback = r.flag()
	s.Mounts = list(r, (*reader).mount)
	s.HostFiles = list(r, func(r *reader) HostFile {
		return HostFile{Name: r.text(), Content: r.text(), Mode: uint32(r.num()), Dir: r.flag()}
	})
	s.Hooks = list(r, func(r *reader) Hook {
		return Hook{Name: r.text(), Commands: list(r, (*reader).texts), Env: r.texts(), Stdin: r.text()}
	})
	s.HookTime = r.num()
	s.Place = r.text()
	s.Caps = r.num()
	s.Filter = []byte(r.text())
	s.Listener = r.flag()
	s.Resolv = r.text()
	s.Rlimits = list(r, func(r *reader) Rlimit {
		return Rlimit{Name: r.text(), Resource: int(r.num()), Cur: r.num(), Max: r.num()}
	})
	return s
}

func (r *reader) mount() mounts.Op {
	var op mounts.Op
	var kind string
	r.fixed(&kind, &op.Target, &op.Source, &op.FS, &op.FD)
	op.Kind = mounts.Kind(kind)
	op.Options = list(r, func(r *reader) (o mounts.Option) {
		r.fixed(&o.Key, &o.Value)
		return o
	})
	op.Attr = int(r.num())
	op.Absent = r.flag()
	return op
}
