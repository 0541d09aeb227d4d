package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// group implements limits.Group.
type group struct {
	backend        *Backend
	base, name     string
	own            *dir // BASE/NAME
	guest, payload *dir
	events         int // cgroup.events of guest
	v1             []*joinable
}

// joinable is the guest's group in one v1 hierarchy.
type joinable struct {
	hierarchy
	dir   *dir
	tasks int
}

// Open implements limits.Backend. A v1 group that is missing (its hierarchy was
// mounted after the guest had started) is one that the guest isn't in.
func (b *Backend) Open(base, name string) (limits.Group, error) {
	if err := checkComponent(name); err != nil {
		return nil, fmt.Errorf("cannot open groups of %q: %w", name, err)
	}
	g := &group{backend: b, base: base, name: name, events: -1}
	if err := errors.Join(g.openV2(), g.openV1()); err != nil {
		g.Close()
		if gone(err) {
			err = fs.ErrNotExist
		}
		return nil, fmt.Errorf("cannot open groups of %q: %w", name, err)
	}
	return g, nil
}

func (g *group) openV2() error {
	parent, err := openBase(g.backend.tree.V2, g.base)
	if err != nil {
		return err
	}
	defer parent.close()
	if g.own, err = parent.open(g.name); err != nil {
		return err
	}
	if g.guest, err = g.own.open("guest"); err != nil {
		return err
	}
	if g.payload, err = g.guest.open("payload"); err != nil {
		return err
	}
	g.events, err = g.guest.file("cgroup.events", unix.O_RDONLY)
	return err
}

func (g *group) openV1() error {
	for _, h := range g.backend.tree.joined() {
		j, err := openJoinable(h, g.base, g.name)
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		g.v1 = append(g.v1, j)
	}
	return nil
}

func openJoinable(h hierarchy, base, name string) (*joinable, error) {
	parent, err := openBase(h.path, base)
	if err != nil {
		return nil, err
	}
	defer parent.close()
	own, err := parent.open(name)
	if err != nil {
		return nil, err
	}
	tasks, err := own.file("tasks", unix.O_WRONLY)
	if err != nil {
		own.close()
		return nil, err
	}
	return &joinable{h, own, tasks}, nil
}

// GuestFD implements limits.Group.
func (g *group) GuestFD() int { return g.guest.fd }

// PayloadFD implements limits.Group.
func (g *group) PayloadFD() int { return g.payload.fd }

// Dirs implements limits.Group.
func (g *group) Dirs() limits.Dirs {
	dirs := limits.Dirs{V2: g.guest.fd, V1: map[string]int{}}
	for _, j := range g.v1 {
		for _, c := range j.controllers {
			dirs.V1[c] = j.dir.fd
		}
	}
	return dirs
}

// EventsFD implements limits.Group.
func (g *group) EventsFD() int { return g.events }

// JoinFDs implements limits.Group.
func (g *group) JoinFDs() []int {
	var fds []int
	for _, j := range g.v1 {
		fds = append(fds, j.tasks)
	}
	return fds
}

// Events implements limits.Group.
func (g *group) Events() (populated, frozen bool, err error) {
	text, err := readEvents(g.events)
	if gone(err) {
		return false, false, nil // it has been removed, so nobody can be in it
	}
	if err != nil {
		return false, false, fmt.Errorf("cannot read events of %q: %w", g.name, err)
	}
	return limits.Events(text)
}

// readEvents reads cgroup.events from its beginning, which also tells the kernel
// that this fd has seen the change it was woken for.
func readEvents(fd int) (string, error) {
	buf := make([]byte, 256)
	var n int
	err := again(func() (err error) { n, err = unix.Pread(fd, buf, 0); return err })
	return string(buf[:max(n, 0)]), err
}

// Stats implements limits.Group.
func (g *group) Stats() (limits.Stats, error) {
	s, err := limits.Files{V2: g.guest.read, V1: g.reader, PageSizes: pageSizes()}.Read(limits.WantAll)
	if err != nil {
		return limits.Stats{}, fmt.Errorf("cannot read figures of %q: %w", g.name, err)
	}
	return s, nil
}

// reader reads the v1 group that a controller is in; nil if it isn't on v1.
func (g *group) reader(controller string) limits.ReadFunc {
	if d := g.holder(controller); d != nil {
		return d.read
	}
	return nil
}

// holder is the v1 group that a controller is in; nil if it isn't on v1.
func (g *group) holder(controller string) *dir {
	for _, j := range g.v1 {
		if j.has(controller) {
			return j.dir
		}
	}
	return nil
}

// Pids implements limits.Group.
func (g *group) Pids() ([]int, error) {
	pids, err := pidsBelow(g.guest)
	if err != nil {
		return nil, fmt.Errorf("cannot list processes of %q: %w", g.name, err)
	}
	return pids, nil
}

// Remove implements limits.Group.
func (g *group) Remove() error { return g.backend.Remove(g.base, g.name) }

// Close implements limits.Group.
func (g *group) Close() error {
	g.own.close()
	g.guest.close()
	g.payload.close()
	if g.events >= 0 {
		unix.Close(g.events)
	}
	for _, j := range g.v1 {
		j.dir.close()
		unix.Close(j.tasks)
	}
	*g = group{backend: g.backend, base: g.base, name: g.name, events: -1}
	return nil
}
