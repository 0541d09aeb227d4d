package store

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// copyChunk is how much one system call copies at most, so that a
// cancellation is seen in the middle of a large file.
const copyChunk = 32 << 20

// copyData fills the new file target. Blocks are shared where the file system
// can; else holes stay holes.
func (w *copyWorker) copyData(source, target int, st *unix.Stat_t) error {
	if st.Size == 0 {
		return nil
	}
	if shared, err := w.reflink(source, target); shared || err != nil {
		return err
	}
	if st.Blocks*512 >= st.Size {
		return w.copyRange(source, target, 0, st.Size)
	}
	if err := w.copyExtents(source, target, st.Size); err != nil {
		return err
	}
	return unix.Ftruncate(target, st.Size) // a hole at the end
}

// reflink is false if the two can't share blocks.
func (w *copyWorker) reflink(source, target int) (bool, error) {
	if w.noReflink.Load() {
		return false, nil
	}
	err := retry(func() error { return unix.IoctlFileClone(target, source) })
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EXDEV):
		w.noReflink.Store(true) // true of all files of the two file systems
		return false, nil
	case errors.Is(err, unix.EINVAL):
		return false, nil // of this file
	}
	return false, err
}

// copyExtents copies what isn't a hole.
func (w *copyWorker) copyExtents(source, target int, size int64) error {
	for at := int64(0); at < size; {
		data, err := unix.Seek(source, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(source, data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := w.copyRange(source, target, data, end); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// copyRange copies the bytes from at up to end. Small ones go through a
// buffer: that is faster than the pipe by which the kernel would do it.
func (w *copyWorker) copyRange(source, target int, at, end int64) error {
	if end-at <= int64(len(w.data)) {
		return w.copyBuffered(source, target, at, end)
	}
	for at < end {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		from, to := at, at
		n, err := unix.CopyFileRange(source, &from, target, &to, int(min(end-at, copyChunk)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL),
			errors.Is(err, unix.ENOSYS), err == nil && n == 0:
			return w.copyBuffered(source, target, at, end)
		case err != nil:
			return err
		}
		at += int64(n)
	}
	return nil
}

func (w *copyWorker) copyBuffered(source, target int, at, end int64) error {
	for at < end {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		buf := w.data[:min(int64(len(w.data)), end-at)]
		n, err := unix.Pread(source, buf, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if err := writeAt(target, buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

func writeAt(fd int, buf []byte, at int64) error {
	for len(buf) > 0 {
		n, err := unix.Pwrite(fd, buf, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		buf, at = buf[n:], at+int64(n)
	}
	return nil
}
