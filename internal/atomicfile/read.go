package atomicfile

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Read returns the content and the attributes of the regular file name in the
// directory dirfd. A symlink is not followed, and anything that is no regular
// file (a FIFO would make the reader wait) or larger than max bytes is refused.
// A missing file is fs.ErrNotExist.
func Read(dirfd int, name string, max int64) ([]byte, unix.Stat_t, error) {
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(dirfd, name, flags, 0)
	if err != nil {
		return nil, unix.Stat_t{}, fmt.Errorf("cannot open %q: %w", name, err)
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	return ReadFrom(file, max)
}

// ReadFrom is Read for a file that is already open, best with O_NONBLOCK.
func ReadFrom(file *os.File, max int64) ([]byte, unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, st, fmt.Errorf("cannot stat %q: %w", file.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, st, fmt.Errorf("cannot read %q: not a regular file", file.Name())
	}
	// The size may change after the stat, so the read is bounded too.
	data, err := io.ReadAll(io.LimitReader(file, max+1))
	if err != nil {
		return nil, st, fmt.Errorf("cannot read %q: %w", file.Name(), err)
	}
	if int64(len(data)) > max {
		return nil, st, fmt.Errorf("cannot read %q: larger than %d bytes", file.Name(), max)
	}
	return data, st, nil
}
