// Package rootpath opens files of the host by paths that nobody but root can have lead
// elsewhere. Whether the file itself is trusted is its caller's to say.
package rootpath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may have, as with path_resolution(7).
const maxLinks = 40

// walk opens a file by a path that will be used again, and checks on its way that
// no one but root can make that path lead elsewhere: every directory and link is root's,
// and what others may write into has the sticky bit, so that root's entries stay.
type walk struct {
	dir   int // open, O_PATH
	links int
}

// Open gives an O_PATH descriptor of the file at an absolute path, links followed.
func Open(path string) (int, error) {
	if !filepath.IsAbs(path) {
		return -1, errors.New("it is not an absolute path")
	}
	root, err := openPath(unix.AT_FDCWD, "/")
	if err != nil {
		return -1, err
	}
	w := walk{dir: root}
	for rest := path; ; {
		var name string
		name, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if name == "" {
			return w.dir, nil
		}
		if rest, err = w.step(name, rest); err != nil {
			unix.Close(w.dir)
			return -1, err
		}
	}
}

// step goes on by one name, and gives what is left of the path.
func (w *walk) step(name, rest string) (string, error) {
	if err := w.checkDir(); err != nil {
		return "", err
	}
	fd, err := openPath(w.dir, name)
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return "", os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		unix.Close(w.dir)
		w.dir = fd
		return rest, nil
	}
	defer unix.Close(fd)
	return w.follow(fd, &st, rest)
}

func (w *walk) follow(link int, st *unix.Stat_t, rest string) (string, error) {
	if st.Uid != 0 {
		return "", fmt.Errorf("the link %s on its path belongs to user %d", Of(link), st.Uid)
	}
	if w.links++; w.links > maxLinks {
		return "", unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link, "", buf)
	if err != nil {
		return "", err
	}
	target := string(buf[:n])
	if strings.HasPrefix(target, "/") {
		root, err := openPath(unix.AT_FDCWD, "/")
		if err != nil {
			return "", err
		}
		unix.Close(w.dir)
		w.dir = root
	}
	return target + "/" + rest, nil
}

func (w *walk) checkDir() error {
	var st unix.Stat_t
	if err := unix.Fstat(w.dir, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return unix.ENOTDIR
	case st.Uid != 0:
		return fmt.Errorf("the directory %s on its path belongs to user %d, who could put another file there", Of(w.dir), st.Uid)
	case st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0:
		return fmt.Errorf("others than root may write into the directory %s on its path (mode %04o)", Of(w.dir), st.Mode&0o7777)
	}
	return nil
}

func openPath(dir int, name string) (int, error) {
	return unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// Of is where a descriptor's file is.
func Of(fd int) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return "?"
	}
	return path
}

// InGuest says whether a path is below what a guest can write: rootfs/ and the layers of
// overlay, of guests and of what is being made and removed. guests is the directory with
// the guests' directories.
func InGuest(path, guests string) bool {
	rest, ok := strings.CutPrefix(filepath.Clean(path), filepath.Clean(guests)+"/")
	if guests == "" || !ok {
		return false
	}
	name, below, _ := strings.Cut(rest, "/")
	if name == ".layers" {
		return true
	}
	tree, _, _ := strings.Cut(below, "/")
	return tree == "rootfs" || tree == "upper" || tree == "work"
}
