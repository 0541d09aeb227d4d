package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// shiftImage has what a new owner takes away: set-uid bits, capabilities, and ids in lists.
func shiftImage(t *testing.T, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir+"/home/user", 0o755))
	must(t, os.Chown(dir+"/home/user", 1000, 1000))
	write(t, dir+"/su", "program")
	must(t, os.Chmod(dir+"/su", os.ModeSetuid|0o755))
	must(t, os.Link(dir+"/su", dir+"/link"))
	must(t, os.Symlink("su", dir+"/symlink"))
	write(t, dir+"/ping", "program")
	caps := make([]byte, 20)
	binary.LittleEndian.PutUint32(caps, 0x02000001)
	binary.LittleEndian.PutUint32(caps[4:], 1<<unix.CAP_NET_RAW)
	must(t, unix.Setxattr(dir+"/ping", "security.capability", caps, 0))
	acl := []byte{2, 0, 0, 0}
	for _, e := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, 1000}, {4, 4, 1<<32 - 1}, {16, 4, 1<<32 - 1}, {32, 4, 1<<32 - 1}} {
		acl = binary.LittleEndian.AppendUint16(acl, uint16(e[0]))
		acl = binary.LittleEndian.AppendUint16(acl, uint16(e[1]))
		acl = binary.LittleEndian.AppendUint32(acl, e[2])
	}
	must(t, unix.Setxattr(dir+"/home", "system.posix_acl_access", acl, 0))
}

func TestShift(t *testing.T) {
	dir := t.TempDir()
	image := dir + "/image"
	shiftImage(t, image)
	l := Layout{Backend: Shift, GuestDir: dir + "/guest", IDBase: 500_000}
	must(t, Create(context.Background(), l, image))
	root := l.GuestDir + "/rootfs"
	// The second time a verb has written a file, the third the range is another.
	for _, base := range []uint32{500_000, 500_000, 900_000} {
		l.IDBase = base
		fd, err := OpenRoot(l, -1)
		must(t, err)
		must(t, unix.Close(fd))
		for file, id := range map[string]uint32{"": 0, "/home": 0, "/home/user": 1000, "/su": 0, "/symlink": 0, "/ping": 0} {
			var st unix.Stat_t
			must(t, unix.Lstat(root+file, &st))
			if st.Uid != base+id || st.Gid != base+id {
				t.Errorf("at %d: %s belongs to %d:%d", base, file, st.Uid, st.Gid)
			}
			if want := uint32(unix.S_IFREG | unix.S_ISUID | 0o755); file == "/su" && (st.Mode != want || st.Nlink != 2) {
				t.Errorf("at %d: su has mode %o and %d links", base, st.Mode, st.Nlink)
			}
		}
		var buf [128]byte
		n, err := unix.Getxattr(root+"/ping", "security.capability", buf[:])
		must(t, err)
		if n != 24 || binary.LittleEndian.Uint32(buf[20:]) != base || binary.LittleEndian.Uint32(buf[4:]) != 1<<unix.CAP_NET_RAW {
			t.Errorf("at %d: capabilities %x", base, buf[:n])
		}
		n, err = unix.Getxattr(root+"/home", "system.posix_acl_access", buf[:])
		must(t, err)
		if !bytes.Contains(buf[:n], binary.LittleEndian.AppendUint32(nil, base+1000)) {
			t.Errorf("at %d: the list %x", base, buf[:n])
		}
		must(t, os.WriteFile(root+"/home/user/new", fmt.Append(nil, base), 0o600))
		must(t, os.Chown(root+"/home", 0, 0))
	}
	var st unix.Stat_t
	must(t, unix.Lstat(root+"/home/user/new", &st))
	if st.Uid != 0 && st.Uid != 900_000 {
		t.Errorf("what was written belongs to %d", st.Uid)
	}
	must(t, Destroy(l))
}
