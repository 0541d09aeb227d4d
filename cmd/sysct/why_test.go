package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/guest"
)

// trouble is a guest that is made wrong, and what why says about it.
type trouble struct {
	config string
	harm   func(rootfs string) error // before the start
	starts bool                      // its init is executed
	later  func(pid int) error       // to its init
	says   []string
}

// foreign is the head of a program for another machine: ELF, 64 bits, EM_AARCH64
// or, there, EM_X86_64; its rest is never looked at.
func foreign() []byte {
	head := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00\x01\x00\x00\x00")
	if u := unameMachine(); u == "aarch64" {
		head[18], head[19] = 62, 0
	}
	return head
}

func unameMachine() string {
	var u unix.Utsname
	unix.Uname(&u)
	return unix.ByteSliceToString(u.Machine[:])
}

func troubles() map[string]trouble {
	init := func(rootfs string) string { return filepath.Join(rootfs, "sbin/init") }
	failed := "its start failed 20"
	return map[string]trouble{
		"exits": {config: "[init]\ncmd = ['/bin/sh', '-c', 'echo last words; exit 7']\n", starts: true,
			says: []string{"its init ended 20", "exited with status 7", "| last words", "init ended: exited (status 7)", "an init has to stay", "sysct start -F exits"}},
		"missing": {harm: func(r string) error { return os.Remove(init(r)) },
			says: []string{failed, "step     exec init", "call     execve /sbin/init, /usr/lib/systemd/systemd", "errno    2, ENOENT", "the guest has no init", "sysct doctor missing"}},
		"absent": {config: "[init]\ncmd = ['/bin/nowhere']\n",
			says: []string{failed, "call     execve /bin/nowhere", "ENOENT", "rootfs/bin/nowhere"}},
		"closed": {harm: func(r string) error { return replace(init(r), []byte("#!/bin/sh\n"), 0o644) },
			says: []string{failed, "call     execve /sbin/init", "permission denied", "errno    13, EACCES", "chmod +x ", "rootfs/sbin/init"}},
		"foreign": {harm: func(r string) error { return replace(init(r), foreign(), 0o755) },
			says: []string{failed, "exec format error", "ENOEXEC", "of another architecture"}},
		"shot": {starts: true, later: func(pid int) error { return unix.Kill(pid, unix.SIGKILL) },
			says: []string{"its init ended 20", "was ended by the signal SIGKILL", "init ended: signal (SIGKILL)", "dmesg"}},
		"greedy": {config: "[limits]\nmemory = '16M'\n[init]\ncmd = ['/bin/sh', '-c', 'x=a; while :; do x=$x$x; done']\n", starts: true,
			says: []string{"its init ended 20", "was killed for lack of memory", "1 process was killed because", "sysct set greedy limits.memory=32M; sysct start greedy"}},
	}
}

// replace puts a file in the place of another, which may be a link.
func replace(path string, data []byte, mode os.FileMode) error {
	os.Remove(path)
	return os.WriteFile(path, data, mode)
}

func TestWhy(t *testing.T) {
	top, sysct := instance(t)
	for name, c := range troubles() {
		sysct("create", name, "-t", "busybox", "-B", "dir")
		if c.config != "" {
			if err := os.WriteFile(top+"/lib/"+name+"/config.toml", []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.harm != nil {
			if err := c.harm(top + "/lib/" + name + "/rootfs"); err != nil {
				t.Fatal(err)
			}
		}
		out, err := command(top, "start", name).CombinedOutput()
		if hint := strings.HasSuffix(string(out), "\nhint: sysct why "+name+"\n"); (err == nil) != c.starts || hint == c.starts {
			t.Errorf("start %s: %v\n%s", name, err, out)
		}
		if c.later != nil {
			c.later(*infoOf(t, sysct, name).Pid)
		}
		sysct("wait", name, "STOPPED", "-t", "60")
		says(t, sysct("why", name), c.says...)
	}
}

func infoOf(t *testing.T, sysct func(...string) string, name string) *guest.Info {
	t.Helper()
	var info guest.Info
	if err := json.Unmarshal([]byte(sysct("info", "--json", name)), &info); err != nil {
		t.Fatal(err)
	}
	return &info
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q isn't in:\n%s", w, text)
		}
	}
}

// TestWhyIsKeptUntilABootGoesWell goes through a guest's bad and good days.
func TestWhyIsKeptUntilABootGoesWell(t *testing.T) {
	top, sysct := instance(t)
	config := top + "/lib/tiny/config.toml"
	configure := func(text string) { os.WriteFile(config, []byte(text), 0o600) }
	sysct("create", "tiny", "-t", "busybox")
	says(t, sysct("why", "tiny"), "tiny: nothing is known to be wrong; it wasn't started since this host booted\n")
	configure("[init]\ncmd = ['/bin/false']\n")
	sysct("start", "tiny")
	sysct("wait", "tiny", "STOPPED", "-t", "60")
	configure("[init]\ncmd = ['/bin/sh', '-c', 'sleep 1000']\n")
	sysct("start", "tiny")
	says(t, sysct("why", "tiny"), "tiny: it runs and hasn't said that it is ready, started 20", "the boot before, that ended 20", "exited with status 1")
	sysct("stop", "-k", "tiny")
	says(t, sysct("why", "tiny"), "tiny: its init ended 20", "exited with status 1")
	configure("")
	sysct("start", "tiny", "--wait")
	if out := sysct("why", "tiny"); !strings.HasPrefix(out, "tiny: its last boot was fine; it is up since 20") || strings.Count(out, "\n") != 1 {
		t.Errorf("after a good boot:\n%s", out)
	}
	sysct("stop", "tiny")
	says(t, sysct("why", "tiny"), "tiny: its last boot was fine; it ended by poweroff 20")
	configure("memory = 1\n")
	says(t, sysct("why", "tiny"), "the next start would fail", "memory: unknown key", "sysct edit tiny")
	configure("protect = ['start']\n")
	says(t, sysct("why", "tiny"), "the next start would fail\n  it is protected from start\n", "sysct unset tiny protect")
}

// TestWhyOfADegradedGuest lets a unit of Debian's fail.
func TestWhyOfADegradedGuest(t *testing.T) {
	top, sysct := instance(t)
	sysct(append([]string{"create", "web", "-t", "debian", "--"}, testimages.DebianArgs("bookworm")...)...)
	unit := "[Unit]\nDescription=A broken part\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo it broke here; exit 3'\n"
	dir := top + "/lib/web/rootfs/etc/systemd/system/"
	if err := os.WriteFile(dir+"broken.service", []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir+"multi-user.target.wants", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../broken.service", dir+"multi-user.target.wants/broken.service"); err != nil {
		t.Fatal(err)
	}
	sysct("start", "web", "--wait")
	want := []string{"web: it runs degraded, started 20", "failed units\n  broken.service (A broken part): exit-code, status 3\n    | ", "it broke here",
		"sysct exec web -- systemctl status broken.service"}
	var out string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if out = sysct("why", "web"); !strings.Contains(out, "isn't ready yet") {
			break
		}
	}
	says(t, out, want...)
	var w guest.Why
	if err := json.Unmarshal([]byte(sysct("why", "web", "--json")), &w); err != nil || w.Verdict != guest.VerdictDegraded || len(w.Units) != 1 {
		t.Errorf("as JSON: %+v, %v", w, err)
	}
}
