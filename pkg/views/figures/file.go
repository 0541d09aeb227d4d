package figures

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// file is an open file of the kernel's that is read from its beginning again and
// again. The zero value is a file that isn't there.
type file struct{ fd int } // the descriptor plus one

// openFile opens a file below a directory; one that is missing is no error.
func openFile(dir int, name string) (file, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return file{}, nil
	}
	if err != nil {
		return file{}, fmt.Errorf("cannot open %s: %w", name, err)
	}
	return file{fd + 1}, nil
}

func (f file) there() bool { return f.fd > 0 }

func (f *file) close() {
	if f.there() {
		unix.Close(f.fd - 1)
	}
	f.fd = 0
}

// reader has the buffer that all files are read into.
type reader struct{ buf []byte }

// read gives the whole text, until the next read; nothing if the file isn't there
// or can't be read, as when the group has been removed.
func (r *reader) read(f file) []byte {
	if !f.there() {
		return nil
	}
	if r.buf == nil {
		r.buf = make([]byte, 4096)
	}
	n := 0
	for {
		got, err := unix.Pread(f.fd-1, r.buf[n:], int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil
		}
		n += got
		// The kernel gives as many whole lines as it has room for: half a page of room
		// left means that there were no more.
		if got == 0 || n < len(r.buf)/2 && n < 2048 || n >= mostText {
			return r.buf[:n]
		}
		if n == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
	}
}

// mostText bounds what is read of a file: that of a guest with as many tasks as the
// default allows, or of a host with as many CPUs as there can be.
const mostText = 512 << 10

// shrink drops a buffer that one large file has made large.
func (r *reader) shrink() {
	if len(r.buf) > 64<<10 {
		r.buf = nil
	}
}
