package console

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// rotate moves NAME to NAME.1 and so on and opens a new NAME. A process that is
// killed in between leaves a gap in the numbers, which the next rotation closes.
func (l *Log) rotate() error {
	if l.files == 1 {
		if err := unix.Ftruncate(l.fd, 0); err != nil {
			return os.NewSyscallError("ftruncate", err)
		}
		l.used = 0
		l.tell(0)
		return nil
	}
	l.shut()
	if err := shift(l.dir, l.name, l.files); err != nil {
		return err
	}
	return l.open()
}

// shift renames all files of a log up by one. The oldest is unlinked first: ext4
// writes a file to the disk at once that is renamed over another one, and a flood
// of output would become a flood of disk writes.
func shift(dir int, name string, files int) error {
	err := unix.Unlinkat(dir, numbered(name, files-1), 0)
	if err != nil && err != unix.ENOENT {
		return os.NewSyscallError("unlinkat", err)
	}
	for i := files - 2; i >= 0; i-- {
		err := unix.Renameat2(dir, numbered(name, i), dir, numbered(name, i+1), 0)
		if err != nil && err != unix.ENOENT {
			return os.NewSyscallError("renameat2", err)
		}
	}
	return nil
}

// numbered is the name of the file that was rotated n times.
func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "." + strconv.Itoa(n)
}
