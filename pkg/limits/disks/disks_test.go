package disks

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOfThisHost asks for a directory's disk, and for the same by its node.
func TestOfThisHost(t *testing.T) {
	d, err := Of("/var/lib")
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.EvalSymlinks("/sys/dev/block/" + d.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name + "/partition"); err == nil {
		t.Errorf("%s is a partition", name)
	}
	node := filepath.Join(t.TempDir(), "node")
	if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(unix.Mkdev(d.Major, d.Minor))); err != nil {
		t.Fatal(err)
	}
	if again, err := Of(node); err != nil || again != d {
		t.Errorf("got %v, %v, want %v", again, err, d)
	}
}

// TestPartitionIsItsDisk has a tree as sysfs has it: not every kernel reads partition tables.
func TestPartitionIsItsDisk(t *testing.T) {
	sys := t.TempDir()
	for path, text := range map[string]string{
		"devices/pci0/block/vda/dev": "254:16\n", "devices/pci0/block/vda/vda1/dev": "254:17\n", "devices/pci0/block/vda/vda1/partition": "1\n",
	} {
		path = filepath.Join(sys, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(sys+"/dev/block", 0o755); err != nil {
		t.Fatal(err)
	}
	for number, name := range map[string]string{"254:16": "vda", "254:17": "vda/vda1"} {
		if err := os.Symlink("../../devices/pci0/block/"+name, sys+"/dev/block/"+number); err != nil {
			t.Fatal(err)
		}
	}
	for minor, want := range map[uint32]uint32{16: 16, 17: 16} {
		if got, err := whole(sys, Disk{254, minor}); err != nil || got != (Disk{254, want}) {
			t.Errorf("254:%d is of %v, %v", minor, got, err)
		}
	}
}

func TestOfRefuses(t *testing.T) {
	if _, err := Of("/nonexistent"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"/proc":     "/proc lies on no disk: it is on a file system of type proc",
		"/dev/null": "/dev/null is a character device and no disk",
	} {
		if d, err := Of(path); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v", path, d, err)
		}
	}
	if _, err := whole("/sys", Disk{8, 1 << 19}); err == nil {
		t.Error("a disk that isn't there")
	}
}

const mountinfo = `30 1 0:26 / / rw,relatime shared:1 - btrfs /dev/vda2 rw,space_cache=v2
31 30 0:27 / /tmp rw shared:2 - tmpfs tmpfs rw
32 30 8:1 / /boot rw shared:3 - ext4 /dev/sda1 rw
`

func TestMountOf(t *testing.T) {
	for id, want := range map[string]string{"30": "btrfs /dev/vda2", "31": "tmpfs tmpfs", "3": "unknown "} {
		if kind, source := mountOf(mountinfo, id); kind+" "+source != want {
			t.Errorf("%s: %s %s", id, kind, source)
		}
	}
}

// TestBtrfs asks for a file in a subvolume, which has a device number of its own, of a
// file system on one disk, and on two.
func TestBtrfs(t *testing.T) {
	one, two := loop(t), loop(t)
	at := t.TempDir()
	run(t, "mkfs.btrfs", "-q", one)
	run(t, "mount", "-t", "btrfs", one, at)
	t.Cleanup(func() { run(t, "umount", at) })
	run(t, "btrfs", "subvolume", "create", at+"/sub")
	want, err := Of(one)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{at, at + "/sub"} {
		if d, err := Of(path); err != nil || d != want {
			t.Errorf("%s: %v, %v, want %v", path, d, err, want)
		}
	}
	run(t, "btrfs", "device", "add", "-K", two, at)
	_, err = Of(at + "/sub")
	if err == nil || !strings.Contains(err.Error(), "lies on several disks, name each of them: ") || !strings.Contains(err.Error(), one) || !strings.Contains(err.Error(), two) {
		t.Errorf("on two disks: %v", err)
	}
}

// loop makes a block device of a file for the length of a test.
func loop(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, 512<<20)); err != nil {
		t.Fatal(err)
	}
	dev := strings.TrimSpace(run(t, "losetup", "-f", "--show", file))
	t.Cleanup(func() { run(t, "losetup", "-d", dev) })
	return dev
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
