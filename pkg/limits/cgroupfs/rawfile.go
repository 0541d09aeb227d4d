package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// ReadFile implements limits.Group.
func (g *group) ReadFile(name string) (string, error) {
	d, err := g.dirOf(name, false)
	if err != nil {
		return "", err
	}
	return d.read(name)
}

// WriteFile implements limits.Group.
func (g *group) WriteFile(name, value string) error {
	d, err := g.dirOf(name, true)
	if err != nil {
		return err
	}
	return d.write(name, value)
}

// dirOf finds the group that has a file: guest in v2, else the one in a v1 hierarchy.
func (g *group) dirOf(name string, write bool) (*dir, error) {
	if err := limits.CheckFile(name, write); err != nil {
		return nil, err
	}
	dirs := []*dir{g.guest}
	for _, j := range g.v1 {
		dirs = append(dirs, j.dir)
	}
	for _, d := range dirs {
		var st unix.Stat_t
		err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			return d, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, d.fail("stat", name, err)
		}
	}
	controller, _, _ := strings.Cut(name, ".")
	where := ""
	if g.holder(controller) != nil {
		where = fmt.Sprintf(": the controller %s is in a v1 hierarchy here, with other names", controller)
	}
	return nil, fmt.Errorf("%s: the guest's groups have no such file%s%w", name, where, silent{fs.ErrNotExist})
}

// silent is an error that is to be found by errors.Is and adds no words.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }
