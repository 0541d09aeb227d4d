package store

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// entry is a name in a directory. isDir and unknown come from the directory
// itself; not every file system keeps the type there.
type entry struct {
	name           string
	isDir, unknown bool
}

// eachEntry calls f for each entry of the directory at fd, from its start, in
// the order of the file system. buf is for the kernel's records. f may remove
// the entry that it is called for.
func eachEntry(fd int, buf []byte, f func(entry) error) error {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return err
	}
	for {
		n := 0
		err := retry(func() (err error) {
			n, err = unix.Getdents(fd, buf)
			return err
		})
		if err != nil || n <= 0 {
			return err
		}
		for rest := buf[:n]; len(rest) > 0; {
			e, size := parseEntry(rest)
			rest = rest[size:]
			if e.name == "." || e.name == ".." {
				continue
			}
			if err := f(e); err != nil {
				return err
			}
		}
	}
}

// parseEntry reads one struct linux_dirent64: ino 8, off 8, reclen 2, type 1,
// name up to a zero.
func parseEntry(buf []byte) (entry, int) {
	const header = 19
	size := int(binary.NativeEndian.Uint16(buf[16:]))
	name := buf[header:size]
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return entry{name: string(name), isDir: buf[18] == unix.DT_DIR, unknown: buf[18] == unix.DT_UNKNOWN}, size
}
