package cgroupfs

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// entry is one name in a group's directory.
type entry struct {
	name  string
	group bool
}

// entries lists a freshly opened directory, without . and .. .
func entries(fd int) ([]entry, error) {
	var all []entry
	buf := make([]byte, 8192)
	for {
		var n int
		err := again(func() (err error) { n, err = unix.Getdents(fd, buf); return err })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return all, nil
		}
		all = appendEntries(all, buf[:n])
	}
}

// appendEntries reads struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
// os.File.ReadDir would do it too, but sorts, stats and allocates three times as
// much for the thousands of groups that a guest may have made.
func appendEntries(all []entry, buf []byte) []entry {
	for len(buf) >= 19 {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size < 19 || size > len(buf) {
			return all
		}
		name, _, _ := bytes.Cut(buf[19:size], []byte{0})
		if s := string(name); s != "." && s != ".." {
			all = append(all, entry{s, buf[18] == unix.DT_DIR})
		}
		buf = buf[size:]
	}
	return all
}

// subgroups names the groups right below a freshly opened directory.
func subgroups(fd int) ([]string, error) {
	all, err := entries(fd)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		if e.group {
			names = append(names, e.name)
		}
	}
	return names, nil
}
