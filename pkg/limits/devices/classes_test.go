package devices

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeSystem is a tree with the parts of /sys and /proc that devices are judged by: numbers
// to class and name.
func fakeSystem(t *testing.T, nodes map[string][2]string, drivers string) (root string) {
	t.Helper()
	root = t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(root+"/sys/dev/char", 0o755))
	must(os.MkdirAll(root+"/proc", 0o755))
	must(os.WriteFile(root+"/proc/devices", []byte(drivers), 0o600))
	for numbers, n := range nodes {
		device := filepath.Join("devices/virtual", n[0], n[1])
		must(os.MkdirAll(filepath.Join(root, "sys", device), 0o755))
		must(os.Symlink("../../"+device, filepath.Join(root, "sys/dev/char", numbers)))
		if n[0] != "" {
			must(os.Symlink("../../../../class/"+n[0], filepath.Join(root, "sys", device, "subsystem")))
		}
	}
	return root
}

func TestDangerousByClass(t *testing.T) {
	root := fakeSystem(t, map[string][2]string{
		"1:3": {"mem", "null"}, "1:99": {"mem", "new"},
		"10:50": {"misc", "uhid"}, "10:51": {"misc", "uinput"}, "10:52": {"misc", "userfaultfd"}, "10:53": {"misc", "fuse"},
		"10:54": {"misc", "watchdog"}, "10:55": {"misc", "vfio"}, "10:56": {"misc", "kvm"},
		"240:0": {"watchdog", "watchdog0"}, "241:1": {"nvme", "nvme1"}, "242:1": {"nvme-generic", "ng1n1"}, "243:0": {"bsg", "0:0:0:0"},
		"244:7": {"vfio", "7"}, "245:0": {"vc", "vcs"}, "246:0": {"input", "event0"}, "247:0": {"drm", "renderD128"}, "248:0": {"", "unclassed"},
		"249:0": {"sound", "timer"}, "249:1": {"input", "event1"},
	}, "Character devices:\n  1 mem\n 10 misc\n247 drm\n250 bsg\n251 watchdog\n\nBlock devices:\n252 nvme\n")
	for _, c := range []struct {
		major, minor int32
		want         string
	}{
		{1, 3, ""}, {1, 99, "the host's memory"},
		{10, 50, whatInput}, {10, 51, whatInput}, {10, 52, dangerousMisc("userfaultfd")}, {10, 53, ""},
		{10, 54, whatWatchdog}, {10, 55, whatBus}, {10, 56, ""},
		{240, 0, whatWatchdog}, {240, Any, whatWatchdog}, {240, 1, ""},
		{241, 1, whatDisks}, {242, 1, whatDisks}, {243, 0, whatDisks}, {244, 7, whatBus},
		{245, 0, "the content of the host's consoles"}, {246, 0, whatInput},
		{247, 0, ""}, {247, Any, ""}, {248, 0, ""},
		{249, 0, ""}, {249, Any, whatInput}, // sound's among others
		{250, 3, whatDisks}, {251, Any, whatWatchdog}, // none there yet
		{252, 0, ""}, // a driver of block devices
	} {
		r := Rule{Type: Char, Major: c.major, Minor: c.minor, Access: Read}
		if what, err := r.byClass(root); what != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", r, what, err, c.want)
		}
	}
	for _, r := range []Rule{{Char, Any, Any, Read}, {AnyType, Any, Any, Read}} {
		if what, err := r.byClass(root); what == "" || err != nil {
			t.Errorf("%s: %q, %v", r, what, err)
		}
	}
	if _, err := (Rule{Char, 10, 50, Read}).byClass(t.TempDir()); err == nil {
		t.Error("a device is judged without anything to judge it by")
	}
}

// What has the same numbers on every host.
func TestDangerousByNumbers(t *testing.T) {
	for _, c := range []struct {
		major, minor int32
		want         bool
	}{
		{1, 1, true}, {1, 3, false}, {4, 63, true}, {4, 64, false}, {10, 130, true}, {10, 223, true}, {10, 229, false}, {10, 239, true},
		{10, 196, true}, {10, 200, false}, {13, 64, true}, {13, Any, true}, {21, 3, true}, {116, 1, false}, {136, Any, false},
	} {
		if r := (Rule{Char, c.major, c.minor, Read}); (r.byNumbers() != "") != c.want {
			t.Errorf("%s: %q", r, r.byNumbers())
		}
	}
}

// The host's own devices: one whose minor number is any, and those that every guest has.
func TestDangerousOfTheHost(t *testing.T) {
	of := func(path string) Rule {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		return Rule{Char, int32(unix.Major(st.Rdev)), int32(unix.Minor(st.Rdev)), Read}
	}
	for path, want := range map[string]string{
		"/dev/userfaultfd": dangerousMisc("userfaultfd"),
		"/dev/kmsg":        "the kernel's log",
		"/dev/null":        "", "/dev/urandom": "", "/dev/fuse": "", "/dev/ptmx": "",
	} {
		r := of(path)
		if what, err := r.Dangerous(); what != want || err != nil {
			t.Errorf("%s, %s: %q, %v; want %q", path, r, what, err, want)
		}
	}
}
