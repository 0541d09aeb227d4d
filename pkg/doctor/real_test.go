package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestThisHost: here guests run, so there is no problem; and looking changes nothing.
func TestThisHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("only root can try namespaces and mounts")
	}
	top, err := os.MkdirTemp("/var/tmp", "sysct-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	for _, dir := range []string{"lib", "cache"} {
		if err := os.Mkdir(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := traces(t, top)
	h, end := Look(Dirs{State: top + "/lib", Cache: top + "/cache", Run: top + "/run", Log: top + "/log"})
	h.IDs.Free = 100
	h.Guests = 1
	findings := Examine(h)
	end()
	for _, f := range findings {
		if f.Severity == Problem && f.Check != "inotify" { // other programs may use that up
			t.Errorf("%+v", f)
		}
		if strings.Contains(f.Found, "not known") {
			t.Errorf("%+v", f)
		}
	}
	if after := traces(t, top); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestBeforeTheFirstGuest: the directories aren't there, and aren't made.
func TestBeforeTheFirstGuest(t *testing.T) {
	top := t.TempDir()
	h, end := Look(Dirs{State: top + "/a/lib", Cache: top + "/a/cache", Run: top + "/a/run", Log: top + "/a/log"})
	defer end()
	h.IDs.Free = 100
	for _, f := range Examine(h) {
		if f.Severity == Problem && f.Check != "inotify" || f.Check == "overlay" && f.Severity != OK {
			t.Errorf("%+v", f)
		}
	}
	if _, err := os.Lstat(top + "/a"); err == nil {
		t.Error("it made the directories")
	}
}

// traces are what a doctor could leave behind: files, groups, mounts, namespaces.
func traces(t *testing.T, top string) string {
	t.Helper()
	var b strings.Builder
	filepath.WalkDir(top, func(path string, _ os.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	})
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + trialGroup + "*")
	more, _ := filepath.Glob("/sys/fs/cgroup/" + trialGroup + "*")
	mine, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mine)) {
		if strings.Contains(line, top) || strings.Contains(line, "sysct-doctor") {
			b.WriteString(line)
		}
	}
	b.WriteString(strings.Join(append(groups, more...), "\n"))
	for _, kind := range []string{"user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time"} {
		link, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Error(err)
		}
		b.WriteString(link + "\n")
	}
	return b.String()
}

// TestTrialsOfNothing: a trial that can't succeed does not.
func TestTrialsOfNothing(t *testing.T) {
	tr := newTrials(Dirs{State: "/proc", Cache: "/proc"})
	defer tr.close()
	for _, trial := range []Trial{TryIDMap.On("/proc"), TryReflink.On("/proc"), TryOverlay, "a feature that nobody knows"} {
		if err := tr.try(trial); err == nil {
			t.Errorf("%s works on /proc", trial)
		}
	}
}

func TestInotifyIsCounted(t *testing.T) {
	var before, after InotifyUse
	before.add("/proc/self")
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, dir := range []string{"/", "/proc"} {
		if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE); err != nil {
			t.Fatal(err)
		}
	}
	after.add("/proc/self")
	if after.Instances != before.Instances+1 || after.Watches != before.Watches+2 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if all := countInotify(); !all.Partly && all.Instances < after.Instances {
		t.Errorf("all: %+v", all)
	}
}

func TestTypeOfMount(t *testing.T) {
	text := "22 27 0:21 / /proc rw,relatime - proc proc rw\n27 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\nodd\n"
	for id, want := range map[uint64]string{22: "proc", 27: "ext4", 2: "unknown"} {
		if got := typeOfMount(text, id); got != want {
			t.Errorf("%d: %s", id, got)
		}
	}
}
