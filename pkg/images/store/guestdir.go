package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// guestDir is an opened guest's directory. Its path is the administrator's and
// trusted, apart from its last component, which must not be a link.
type guestDir struct {
	path   string // as given, for messages
	parent int    // O_PATH
	base   string // name in parent
	fd     int    // O_RDONLY
}

func openGuestDir(path string) (*guestDir, error) {
	g, err := openGuestParent(path)
	if err != nil {
		return nil, err
	}
	if err := g.openSelf(); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// makeGuestDir opens the guest's directory, and makes it before if it isn't
// there (fresh). Its mode becomes 0700 in any case.
func makeGuestDir(path string) (g *guestDir, fresh bool, err error) {
	if g, err = openGuestParent(path); err != nil {
		return nil, false, err
	}
	err = unix.Mkdirat(g.parent, g.base, 0o700)
	fresh = err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		g.close()
		return nil, false, fmt.Errorf("cannot make %s: %w", path, err)
	}
	if err := g.openSelf(); err != nil {
		g.close()
		return nil, false, err
	}
	if err := unix.Fchmod(g.fd, 0o700); err != nil {
		g.close()
		return nil, false, fmt.Errorf("cannot set the mode of %s: %w", path, err)
	}
	return g, fresh, nil
}

func openGuestParent(path string) (*guestDir, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
		return nil, fmt.Errorf("cannot open the guest's directory %q: not a clean absolute path", path)
	}
	parent, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", filepath.Dir(path), err)
	}
	return &guestDir{path: path, parent: parent, base: filepath.Base(path), fd: -1}, nil
}

func (g *guestDir) openSelf() (err error) {
	g.fd, err = openBeneath(g.parent, g.base, unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("cannot open %s: not a directory, or a symbolic link", g.path)
	}
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", g.path, err)
	}
	return nil
}

func (g *guestDir) close() {
	unix.Close(g.parent)
	if g.fd >= 0 {
		unix.Close(g.fd)
	}
}

// checkPrivate refuses a directory that others than its owner, who must be
// us, can enter: host users could run the guest's set-uid files
// (CVE-2021-41091).
func (g *guestDir) checkPrivate() error {
	var st unix.Stat_t
	if err := unix.Fstat(g.fd, &st); err != nil {
		return fmt.Errorf("cannot look at %s: %w", g.path, err)
	}
	if int(st.Uid) != unix.Geteuid() {
		return fmt.Errorf("cannot use %s: it belongs to uid %d", g.path, st.Uid)
	}
	if st.Mode&0o077 != 0 {
		return fmt.Errorf("cannot use %s: its mode %#o lets others in (chmod 0700 it)", g.path, st.Mode&0o7777)
	}
	return nil
}

// refuseMountPoint refuses a guest's directory that is itself a mount.
func (g *guestDir) refuseMountPoint() error {
	st, err := statMount(g.fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", g.path, err)
	}
	if isMountRoot(st) {
		return fmt.Errorf("cannot delete %s: it is a mount point; unmount it first", g.path)
	}
	return nil
}

// wantAbsent fails if one of the names is there.
func (g *guestDir) wantAbsent(names []string) error {
	for _, name := range names {
		_, err := statMount(g.fd, name, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil {
			err = unix.EEXIST
		}
		if !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("cannot create %s/%s: %w", g.path, name, err)
		}
	}
	return nil
}

// openDir opens a directory in the guest's directory as O_PATH. A link there,
// or a mount upon it, is an error.
func (g *guestDir) openDir(name string) (int, error) {
	fd, err := openBeneath(g.fd, name, unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	switch {
	case errors.Is(err, unix.EXDEV):
		return -1, fmt.Errorf("something is mounted on %s", name)
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return -1, fmt.Errorf("%s is not a directory, or a symbolic link", name)
	case err != nil:
		return -1, fmt.Errorf("cannot open %s: %w", name, err)
	}
	return fd, nil
}

// openTree opens an image's rootfs directory as O_PATH. Its parent is the
// administrator's; the last component must not be a link.
func openTree(path string) (int, error) {
	parent, err := openGuestParent(path)
	if err != nil {
		return -1, err
	}
	defer parent.close()
	fd, err := openBeneath(parent.parent, parent.base, unix.O_PATH|unix.O_DIRECTORY, 0, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return -1, fmt.Errorf("cannot open the image %s: not a directory, or a symbolic link", path)
	}
	if err != nil {
		return -1, fmt.Errorf("cannot open the image %s: %w", path, err)
	}
	return fd, nil
}
