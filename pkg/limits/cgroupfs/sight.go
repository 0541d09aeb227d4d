package cgroupfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// bases are the directories that all guests of an instance are in.
type bases struct {
	v2 *dir
	v1 map[string]*dir // by controller
}

// Sights implements limits.Backend. What is the same for all guests is opened once,
// and a file of a guest costs three system calls, so that a list of many is short.
func (b *Backend) Sights(base string, names []string, want limits.Want) (map[string]limits.Sight, error) {
	found := map[string]limits.Sight{}
	all := &bases{v1: map[string]*dir{}}
	defer all.close()
	var err error
	if all.v2, err = openBase(b.tree.V2, base); gone(err) {
		return found, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look at groups of %q: %w", base, err)
	}
	if want != limits.WantNothing {
		all.openV1(b.tree, base)
	}
	for _, name := range names {
		if checkComponent(name) != nil {
			continue
		}
		if s, err := all.look(name, want); err == nil {
			found[name] = s
		}
	}
	return found, nil
}

// openV1 opens what there is: a hierarchy without the base has none of the guests.
func (b *bases) openV1(t Tree, base string) {
	for _, h := range t.joined() {
		d, err := openBase(h.path, base)
		if err != nil {
			continue
		}
		for _, c := range h.controllers {
			b.v1[c] = d
		}
	}
}

func (b *bases) close() {
	b.v2.close()
	closed := map[*dir]bool{}
	for _, d := range b.v1 { // controllers may be mounted together
		if !closed[d] {
			d.close()
		}
		closed[d] = true
	}
}

func (b *bases) look(name string, want limits.Want) (s limits.Sight, err error) {
	text, err := b.v2.below(name+"/guest", "cgroup.events")
	if err != nil {
		return s, err
	}
	s.Populated, s.Frozen, err = limits.Events(text)
	if err != nil || want == limits.WantNothing || !s.Populated {
		return s, err
	}
	files := limits.Files{
		V2: func(file string) (string, error) { return b.v2.below(name+"/guest", file) },
		V1: func(controller string) limits.ReadFunc {
			d := b.v1[controller]
			if d == nil {
				return nil
			}
			return func(file string) (string, error) { return d.below(name, file) }
		},
	}
	// An error is of a guest that ends just now: what was seen is still true.
	if stats, err := files.Read(want); err == nil {
		s.Stats = &stats
	}
	return s, nil
}

// below reads a file of a group some levels down, all of them root's own. No link is
// followed.
func (d *dir) below(group, name string) (string, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	path := group + "/" + name
	var fd int
	err := again(func() (err error) { fd, err = unix.Openat2(d.fd, path, &how); return err })
	if err != nil {
		return "", d.fail("open", path, err)
	}
	defer unix.Close(fd)
	return readShort(fd, d, path)
}

// readShort reads a file that mostly fits into one read.
func readShort(fd int, d *dir, path string) (string, error) {
	var buf [4096]byte
	var n int
	if err := again(func() (err error) { n, err = unix.Read(fd, buf[:]); return err }); err != nil {
		return "", d.fail("read", path, err)
	}
	if n < len(buf) {
		return string(buf[:max(n, 0)]), nil
	}
	rest, err := readAll(fd)
	if err != nil {
		return "", d.fail("read", path, err)
	}
	return string(buf[:]) + rest, nil
}
