package store

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A second boot on the root that the first has left, with somebody in it.
func TestReuse(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		must(t, Sync(l))
		refused(t, l, testBase) // nothing is mounted
		must(t, MountPlain(l))
		must(t, Sync(l)) // below what is shown
		refused(t, l, testBase)
		must(t, Unmount(l))
		must(t, os.Chown(rootOf(l), 3, 4)) // the guest's root directory is another user's

		root, done := openRoot(t, l)
		must(t, Expose(l, root))
		done()
		cmd := exec.Command("/proc/self/exe")
		cmd.Dir = l.GuestDir + "/rootfs/etc"
		pid := sitter(t, cmd)
		refused(t, l, testBase+65536) // another range
		refused(t, l, 0)

		again, ok, err := Reuse(l, testBase)
		must(t, err)
		if !ok {
			t.Fatal("no root to reuse")
		}
		if got := asGuest(t, again, "own .", "create etc/new", "own etc/new"); got != "3:4\n0:0\n" {
			t.Errorf("the guest says %q", got)
		}
		var st unix.Statfs_t
		must(t, unix.Fstatfs(again, &st))
		if st.Flags&unix.ST_NOSUID != 0 || st.Flags&unix.ST_NODEV == 0 {
			t.Errorf("flags %#x: want nodev and no nosuid", st.Flags)
		}
		must(t, unix.Close(again))
		must(t, unix.Statfs(l.GuestDir+"/rootfs", &st))
		if st.Flags&unix.ST_NOSUID == 0 {
			t.Error("what the host sees lost nosuid")
		}
		wantHolder(t, Unmount(l), pid, "cwd")
	})
}

// rootOf is the directory with the owner that the guest's root has.
func rootOf(l Layout) string {
	if l.Backend == Overlay {
		return l.GuestDir + "/upper"
	}
	return l.GuestDir + "/rootfs"
}

func refused(t *testing.T, l Layout, idBase uint32) {
	t.Helper()
	if _, ok, err := Reuse(l, idBase); ok || err != nil {
		t.Errorf("Reuse with ids from %d: %v, %v", idBase, ok, err)
	}
}
