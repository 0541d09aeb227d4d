package atomicfile

import (
	"fmt"
	"os"
	"slices"

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
	defer unix.Close(fd)
	return readFD(fd, name, max)
}

// ReadFrom is Read for a file that is already open, best with O_NONBLOCK.
func ReadFrom(file *os.File, max int64) ([]byte, unix.Stat_t, error) {
	return readFD(int(file.Fd()), file.Name(), max)
}

// readFD reads by the descriptor: an os.File of a regular file asks the poller for it
// in vain, at each of the many files that a list of guests reads.
func readFD(fd int, name string, max int64) ([]byte, unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, fmt.Errorf("cannot stat %q: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, st, fmt.Errorf("cannot read %q: not a regular file", name)
	}
	// The size may change after the stat, so the read is bounded too.
	data := make([]byte, 0, min(st.Size, max)+1)
	for int64(len(data)) <= max {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, st, fmt.Errorf("cannot read %q: %w", name, err)
		case n == 0:
			return data, st, nil
		}
		if data = data[:len(data)+n]; len(data) == cap(data) {
			data = slices.Grow(data, 512)
		}
	}
	return nil, st, fmt.Errorf("cannot read %q: larger than %d bytes", name, max)
}
