package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// ReadFile implements limits.Group.
func (g *group) ReadFile(name string) (string, error) {
	if name == "cgroup.procs" || name == "cgroup.threads" {
		return g.everybody(name)
	}
	dirs, err := g.dirsOf(name, false)
	if err != nil {
		return "", err
	}
	return dirs[0].read(name)
}

// everybody is a list of who is in the guest's groups, from the lowest number on. They are in
// payload and below it: guest itself has nobody.
func (g *group) everybody(file string) (string, error) {
	ids, err := idsBelow(g.guest, file)
	if err != nil {
		return "", err
	}
	slices.Sort(ids)
	var b strings.Builder
	for _, id := range slices.Compact(ids) {
		fmt.Fprintln(&b, id)
	}
	return b.String(), nil
}

// WriteFile implements limits.Group.
func (g *group) WriteFile(name, value string) error {
	dirs, err := g.dirsOf(name, true)
	if err != nil {
		return err
	}
	var before []string
	for i, d := range dirs {
		was, err := d.read(name)
		if err == nil || i == len(dirs)-1 { // the last is never written back
			err = d.write(name, value)
		}
		if err != nil {
			for j, text := range before {
				_ = dirs[j].write(name, strings.TrimSpace(text)) // what it was a moment ago
			}
			return err
		}
		before = append(before, was)
	}
	// What the groups above keep for it follows.
	return g.backend.keepMemory(g.base, []limits.Knob{{File: name}})
}

// dirsOf finds the groups that have a file: in v2 those where limits write it, so that what is
// read is what counts, else the one in a v1 hierarchy.
func (g *group) dirsOf(name string, write bool) ([]*dir, error) {
	if err := limits.CheckFile(name, write); err != nil {
		return nil, err
	}
	var v2 []*dir
	for _, place := range limits.Places(name) {
		v2 = append(v2, g.in(place))
	}
	sets := [][]*dir{v2}
	for _, j := range g.v1 {
		sets = append(sets, []*dir{j.dir})
	}
	for _, dirs := range sets {
		var st unix.Stat_t
		err := unix.Fstatat(dirs[0].fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			return dirs, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, dirs[0].fail("stat", name, err)
		}
	}
	controller, _, _ := strings.Cut(name, ".")
	where := ""
	if g.holder(controller) != nil {
		where = fmt.Sprintf(": the controller %s is in a v1 hierarchy here, with other names", controller)
	}
	return nil, fmt.Errorf("%s: the guest's groups have no such file%s%w", name, where, silent{fs.ErrNotExist})
}

// in is the group of v2 that a place is.
func (g *group) in(p limits.Place) *dir {
	switch p {
	case limits.Beside:
		return g.own
	case limits.InPayload:
		return g.payload
	}
	return g.guest
}

// silent is an error that is to be found by errors.Is and adds no words.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }
