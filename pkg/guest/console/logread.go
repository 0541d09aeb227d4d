package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ReadLog copies the log called name, of up to files files, to w in the order in
// which it was written: the last lines lines, or all of it if lines is 0. It is
// meant for another process than the one that writes. A log that doesn't exist
// is fs.ErrNotExist.
func ReadLog(dir int, name string, files, lines int, w io.Writer) error {
	opened, err := openLogs(dir, name, files)
	defer closeAll(opened)
	if err == nil && len(opened) == 0 {
		err = &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	}
	if err == nil {
		err = copyLogs(opened, lines, w)
	}
	if err != nil {
		return fmt.Errorf("cannot read log %s: %w", name, err)
	}
	return nil
}

// openLogs opens what there is, newest first. In this order a rotation in the
// middle shows a file twice and never hides one.
func openLogs(dir int, name string, files int) (opened []*os.File, err error) {
	type id struct{ dev, ino uint64 }
	seen := map[id]bool{}
	for i := range max(files, 1) {
		path := numbered(name, i)
		fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return opened, &os.PathError{Op: "open", Path: path, Err: err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || seen[id{st.Dev, st.Ino}] {
			unix.Close(fd)
			continue
		}
		seen[id{st.Dev, st.Ino}] = true
		opened = append(opened, os.NewFile(uintptr(fd), path))
	}
	return opened, nil
}

// copyLogs takes files newest first.
func copyLogs(files []*os.File, lines int, w io.Writer) error {
	last := len(files) - 1
	if lines > 0 {
		want := lines
		for i, f := range files {
			from, found, err := lastLines(f, want, i == 0)
			if err != nil {
				return err
			}
			if _, err := f.Seek(from, io.SeekStart); err != nil {
				return err
			}
			if want -= found; want <= 0 {
				last = i
				break
			}
		}
	}
	for i := last; i >= 0; i-- {
		if _, err := io.Copy(w, files[i]); err != nil {
			return err
		}
	}
	return nil
}

// lastLines finds where the last want lines of f begin. If there are fewer it is
// 0, and found says how many line ends there are. In the newest file the line end
// at its very end ends the last line and begins none.
func lastLines(f *os.File, want int, newest bool) (from int64, found int, err error) {
	st, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	end := st.Size()
	var last [1]byte
	if newest && end > 0 {
		if _, err := f.ReadAt(last[:], end-1); err != nil {
			return 0, 0, err
		}
		if last[0] == '\n' {
			end--
		}
	}
	buf := make([]byte, 64<<10)
	for end > 0 {
		piece := buf[:min(end, int64(len(buf)))]
		if _, err := f.ReadAt(piece, end-int64(len(piece))); err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := bytes.LastIndexByte(piece, '\n'); i >= 0; i = bytes.LastIndexByte(piece[:i], '\n') {
			if found++; found == want {
				return end - int64(len(piece)) + int64(i) + 1, found, nil
			}
		}
		end -= int64(len(piece))
	}
	return 0, found, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
