// Package safefs is the one way to paths inside a guest's tree. A guest's root
// is hostile: any component of a path may be a link to the host, a FIFO, or
// change while it is looked at. So everything starts at a directory descriptor
// and is resolved by the kernel in one call (openat2) that can't leave the tree:
// an absolute link and ".." mean the guest's root, never the host's. Links of
// /proc that jump anywhere ("magic links") are always refused.
//
// It is not for the program's own directories, and it doesn't read what it
// opens: content from a guest stays hostile.
//
// Names are slash-separated and relative to the root; a leading slash, as in a
// path the guest would use, is the root too.
package safefs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// How a path is resolved; see openat2(2).
const (
	follow = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	strict = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
)

// maxTries bounds the repetitions of a look-up of ".." that the kernel gave up
// (EAGAIN) because something was renamed on the whole host meanwhile.
const maxTries = 1000

// Root is a guest's tree, held by an O_PATH descriptor of its directory. Its
// methods may be called by several goroutines at once, Close excepted.
type Root struct{ fd int }

// OpenRoot opens the tree at path, a directory of the host. The last component
// must not be a symlink (ENOTDIR); the ones before it are the host's own and are
// trusted.
func OpenRoot(path string) (*Root, error) {
	// Cleaned, because a slash at the end would follow a link in spite of
	// O_NOFOLLOW.
	path = filepath.Clean(path)
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open root %q: %w", path, err)
	}
	return &Root{fd}, nil
}

// FromFD makes a Root of a directory's descriptor (O_PATH is enough), which then
// belongs to it.
func FromFD(fd int) *Root { return &Root{fd} }

// FD returns the descriptor, which stays the Root's.
func (r *Root) FD() int { return r.fd }

// Close closes the descriptor. A second Close does nothing.
func (r *Root) Close() error {
	fd := r.fd
	r.fd = -1
	if fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

// Open opens name with the flags of open(2) and, if they have O_CREAT or
// O_TMPFILE, the permission bits mode (less the umask). Symlinks are followed
// inside the root. O_CLOEXEC and O_NOCTTY are always added. Without O_NONBLOCK a
// FIFO makes the caller wait, and a device node is opened as such: ReadFile does
// neither.
func (r *Root) Open(name string, flags int, mode uint32) (*os.File, error) {
	return r.openFile(name, flags, mode, follow)
}

// OpenStrict is Open for a path on which no symlink at all is allowed (ELOOP) and
// no ".." out of the root (EXDEV).
func (r *Root) OpenStrict(name string, flags int, mode uint32) (*os.File, error) {
	return r.openFile(name, flags, mode, strict)
}

func (r *Root) openFile(name string, flags int, mode uint32, resolve uint64) (*os.File, error) {
	fd, err := openat2(r.fd, relative(name), flags, mode, resolve)
	if err != nil {
		return nil, fmt.Errorf("cannot open %q in the guest's tree: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// relative turns a guest's path into one that starts at the root.
func relative(name string) string {
	switch trimmed := strings.TrimLeft(name, "/"); {
	case trimmed != "":
		return trimmed
	case name != "":
		return "."
	}
	return "" // ENOENT, as everywhere
}

func openat2(dir int, name string, flags int, mode uint32, resolve uint64) (int, error) {
	flags |= unix.O_CLOEXEC
	// openat2 refuses (EINVAL) what open ignores: O_NOCTTY beside O_PATH, and a
	// mode for a file that isn't made.
	if flags&unix.O_PATH == 0 {
		flags |= unix.O_NOCTTY
	}
	if flags&(unix.O_CREAT|unix.O_TMPFILE&^unix.O_DIRECTORY) == 0 {
		mode = 0
	}
	how := unix.OpenHow{Flags: uint64(flags), Mode: uint64(mode), Resolve: resolve}
	for try := 1; ; try++ {
		fd, err := unix.Openat2(dir, name, &how)
		if try >= maxTries || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
		runtime.Gosched()
	}
}
