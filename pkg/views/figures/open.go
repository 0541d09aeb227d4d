package figures

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// openAll opens files of one directory.
func openAll(dir int, files map[string]*file) (err error) {
	for name, f := range files {
		if *f, err = openFile(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// openUp opens the files of that name in a group and all above it, up to the root
// of the hierarchy that is mounted. Those that lack it are left out.
func openUp(dir int, name string) (files []file, err error) {
	err = upwards(dir, func(group int) error {
		f, err := openFile(group, name)
		if f.there() {
			files = append(files, f)
		}
		return err
	})
	if err != nil {
		closeAll(files)
		return nil, fmt.Errorf("cannot look for %s in the groups above: %w", name, err)
	}
	return files, nil
}

func closeAll(files []file) {
	for i := range files {
		files[i].close()
	}
}

// upwards calls f with a directory and all above it on the same mount.
func upwards(dir int, f func(dir int) error) error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV}
	at, err := unix.Openat2(dir, ".", &how)
	for err == nil {
		if err = f(at); err != nil {
			break
		}
		var above int
		if above, err = unix.Openat2(at, "..", &how); err != nil {
			break
		}
		top := same(at, above)
		unix.Close(at)
		if at = above; top {
			break
		}
	}
	if at >= 0 {
		unix.Close(at)
	}
	if errors.Is(err, unix.EXDEV) {
		return nil
	}
	return err
}

// same tells whether two descriptors are of one directory, as "/" and "/.." are.
func same(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}
