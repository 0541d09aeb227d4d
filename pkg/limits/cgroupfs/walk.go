package cgroupfs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// walk calls visit for every group below top, the deepest first, with the fd of
// the directory that the group is in. A guest decides how deep and how wide its
// groups are and may change them meanwhile: the walk needs neither recursion nor
// an fd a level, and comes back up by ".." (which a directory in cgroupfs keeps for
// life), checked by inode.
func walk(top int, visit func(parent int, name string) error) error {
	w := walker{visit: visit}
	fd, err := openat(top, ".", dirFlags)
	if err != nil {
		return err
	}
	defer func() { unix.Close(w.fd) }()
	w.fd = fd
	if err := w.enter(); err != nil {
		return err
	}
	for len(w.levels) > 0 {
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

type walker struct {
	fd     int // of the last level
	levels []level
	visit  func(parent int, name string) error
}

type level struct {
	inode uint64
	names []string // still to be visited; the walk is below the last one
}

// enter makes the directory at w.fd the last level.
func (w *walker) enter() error {
	var st unix.Stat_t
	if err := unix.Fstat(w.fd, &st); err != nil {
		return err
	}
	names, err := subgroups(w.fd)
	if err != nil && !gone(err) {
		return err
	}
	w.levels = append(w.levels, level{st.Ino, names})
	return nil
}

func (w *walker) step() error {
	last := &w.levels[len(w.levels)-1]
	if len(last.names) == 0 {
		return w.leave()
	}
	fd, err := openat(w.fd, last.names[len(last.names)-1], dirFlags)
	if gone(err) {
		last.names = last.names[:len(last.names)-1]
		return nil
	}
	if err != nil {
		return err
	}
	w.move(fd)
	return w.enter()
}

// leave goes back to the parent and visits the group that was left.
func (w *walker) leave() error {
	w.levels = w.levels[:len(w.levels)-1]
	if len(w.levels) == 0 {
		return nil
	}
	fd, err := openat(w.fd, "..", dirFlags)
	if err != nil {
		return err
	}
	w.move(fd)
	parent := &w.levels[len(w.levels)-1]
	var st unix.Stat_t
	if err := unix.Fstat(w.fd, &st); err != nil {
		return err
	}
	if st.Ino != parent.inode {
		return fmt.Errorf("a group was moved during the walk")
	}
	name := parent.names[len(parent.names)-1]
	parent.names = parent.names[:len(parent.names)-1]
	return w.visit(w.fd, name)
}

func (w *walker) move(fd int) {
	unix.Close(w.fd)
	w.fd = fd
}
