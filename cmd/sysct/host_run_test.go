package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostService is sysct host run as a process of its own.
type hostService struct {
	t   *testing.T
	cmd *exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

func (h *hostService) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *hostService) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

// serveHost begins the host service of an instance; the test's end waits for it.
func serveHost(t *testing.T, top string, env []string, args ...string) *hostService {
	t.Helper()
	h := &hostService{t: t, cmd: command(top, append([]string{"host", "run"}, args...)...)}
	h.cmd.Env = append(h.cmd.Env, env...)
	h.cmd.Stdout, h.cmd.Stderr = h, h
	// The holder that it may start has none of these.
	h.cmd.WaitDelay = time.Second
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.cmd.ProcessState == nil {
			h.cmd.Process.Kill()
			h.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("host run:\n%s", h.text())
		}
	})
	return h
}

// says waits until the service has logged a line.
func (h *hostService) says(line string) {
	h.t.Helper()
	h.saysTimes(line, 1)
}

func (h *hostService) saysTimes(line string, n int) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); strings.Count(h.text(), line) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("the service doesn't say %q %d times:\n%s", line, n, h.text())
		}
	}
}

// end sends a signal and gives the exit status.
func (h *hostService) end(sig unix.Signal) int {
	h.t.Helper()
	h.cmd.Process.Signal(sig)
	timer := time.AfterFunc(3*time.Minute, func() { h.cmd.Process.Kill() })
	defer timer.Stop()
	h.cmd.Wait()
	return h.cmd.ProcessState.ExitCode()
}

// guestFacts is what info --json says.
type guestFacts struct {
	State      string `json:"state"`
	Pid        *int   `json:"pid"`
	MonitorPid *int   `json:"monitor_pid"`
	Exit       *struct{ Reason string }
}

func factsOf(t *testing.T, sysct func(...string) string, name string) guestFacts {
	t.Helper()
	var f guestFacts
	if err := json.Unmarshal([]byte(sysct("info", "--json", name)), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// when gives the time of the first line of a guest's log that fits: the times of several
// guests sort as text.
func when(t *testing.T, sysct func(...string) string, name, pattern string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^(\S+Z) ` + pattern).FindStringSubmatch(sysct("logs", name))
	if line == nil {
		t.Fatalf("%s logged nothing like %q:\n%s", name, pattern, sysct("logs", name))
	}
	return line[1]
}

// inOrder says that the first lines like pattern of the guests came in this order.
func inOrder(t *testing.T, sysct func(...string) string, pattern string, names ...string) {
	t.Helper()
	var times []string
	for _, name := range names {
		times = append(times, when(t, sysct, name, pattern))
	}
	if !slices.IsSorted(times) {
		t.Errorf("%q of %q at %q", pattern, names, times)
	}
}

// TestHostRun: the enabled guests and those they require start by their order, once, and
// stop in reverse; what is wrong with one keeps only those back that require it.
func TestHostRun(t *testing.T) {
	top, sysct := instance(t)
	create := func(name string, keys ...string) {
		args := []string{"create", name, "-t", "busybox"}
		for _, key := range keys {
			args = append(args, "-c", key)
		}
		sysct(args...)
	}
	create("zdb", "autostart.enabled=true", "autostart.order=-5", "autostart.delay=0.2s")
	create("cache")
	create("app", "autostart.enabled=true", "autostart.requires=cache", "autostart.after=late")
	create("late", "autostart.enabled=true", "autostart.order=7")
	create("other")
	create("broken", "autostart.enabled=true", "autostart.requires=gone")
	create("more", "autostart.enabled=true", "autostart.requires=broken")

	h := serveHost(t, top, nil)
	h.says("4 of 4 guests started")
	for line, want := range map[string]bool{
		"broken isn't started: it requires gone, which isn't there":   true,
		"more isn't started: it requires broken, which isn't started": true,
		"other": false,
	} {
		if strings.Contains(h.text(), line) != want {
			t.Errorf("it says %q: %v\n%s", line, !want, h.text())
		}
	}
	if running := sysct("ls", "-1", "--running"); running != "app\ncache\nlate\nzdb\n" {
		t.Errorf("running:\n%s", running)
	}
	inOrder(t, sysct, "boot 1:", "zdb", "cache", "late", "app")
	if ready, started := when(t, sysct, "late", "ready:"), when(t, sysct, "app", "boot 1:"); ready > started {
		t.Errorf("app started at %s, before late was ready at %s", started, ready)
	}

	out, err := command(top, "host", "run").CombinedOutput()
	if !strings.Contains(string(out), fmt.Sprintf("runs already: cannot lock %q: lock is held by pid %d ", top+"/run/.host/lock", h.cmd.Process.Pid)) ||
		!strings.Contains(fmt.Sprint(err), "status 5") {
		t.Errorf("a second service: %v, %s", err, out)
	}
	if status := h.end(unix.SIGTERM); status != 0 {
		t.Errorf("status %d after SIGTERM", status)
	}
	if running := sysct("ls", "-1", "--running"); running != "" {
		t.Errorf("running afterwards:\n%s", running)
	}
	inOrder(t, sysct, "stopping:", "app", "late", "cache", "zdb")
	for _, name := range []string{"app", "late", "cache", "zdb"} {
		if f := factsOf(t, sysct, name); f.Exit == nil || f.Exit.Reason != "poweroff" {
			t.Errorf("%s ended by %+v", name, f.Exit)
		}
	}
}

// TestHostRunHangingGuest: at the end a guest that ignores its shutdown is killed when its
// own time is over, also where its monitor hangs; the others end clean, those that have to
// wait for it too.
func TestHostRunHangingGuest(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "low", "-t", "busybox", "-c", "autostart.enabled=true", "-c", "autostart.order=-1")
	sysct("create", "clean", "-t", "busybox", "-c", "autostart.enabled=true")
	sysct("create", "hang", "-t", "busybox", "-c", "autostart.enabled=true", "-c", "init.halt=SIGUSR1", "-c", "init.stop_timeout=1",
		"-c", `init.cmd=["/bin/sh", "-c", "trap '' USR1; while :; do sleep 1; done"]`)
	sysct("create", "deaf", "-t", "busybox", "-c", "autostart.enabled=true", "-c", "init.stop_timeout=1")
	h := serveHost(t, top, nil)
	h.says("4 of 4 guests started")
	sysct("wait", "clean", "ready", "-t", "60")
	monitor := factsOf(t, sysct, "deaf").MonitorPid
	if err := unix.Kill(*monitor, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if status := h.end(unix.SIGTERM); status != 0 {
		t.Errorf("status %d after SIGTERM", status)
	}
	for name, reason := range map[string]string{"low": "poweroff", "clean": "poweroff", "hang": "killed", "deaf": "killed"} {
		if f := factsOf(t, sysct, name); f.State != "STOPPED" || f.Exit == nil || f.Exit.Reason != reason {
			t.Errorf("%s is %s, by %+v", name, f.State, f.Exit)
		}
	}
	if !strings.Contains(h.text(), "hang was killed: its shutdown took longer than 1s") {
		t.Errorf("it doesn't say that it killed hang:\n%s", h.text())
	}
}

// TestHostRunKilled: the death of the service touches no guest, and the next one starts
// none a second time, whatever became of it; SIGHUP starts what is enabled since, and
// SIGUSR1 and --keep leave all as it is.
func TestHostRunKilled(t *testing.T) {
	top, sysct := instance(t)
	for _, name := range []string{"one", "two", "three"} {
		sysct("create", name, "-t", "busybox")
	}
	sysct("enable", "one", "two")
	h := serveHost(t, top, nil)
	h.says("2 of 2 guests started")
	pid := *factsOf(t, sysct, "one").Pid
	h.end(unix.SIGKILL)
	sysct("stop", "-k", "two")

	// Somebody has enabled and started one, and stopped it: it isn't started by itself.
	sysct("create", "four", "-t", "busybox", "-c", "autostart.enabled=true")
	sysct("start", "four")
	sysct("stop", "-k", "four")
	sysct("enable", "three")
	h = serveHost(t, top, nil)
	h.says("the host service runs")
	if text := h.text(); strings.Contains(text, "autostart:") {
		t.Errorf("it starts what wasn't enabled when the host booted:\n%s", text)
	}
	h.cmd.Process.Signal(unix.SIGHUP)
	h.says("1 of 1 guests started")
	if status := h.end(unix.SIGUSR1); status != 0 {
		t.Errorf("status %d after SIGUSR1", status)
	}
	h = serveHost(t, top, nil, "--keep")
	h.says("the host service runs")
	if status := h.end(unix.SIGTERM); status != 0 {
		t.Errorf("status %d after SIGTERM", status)
	}
	if running := sysct("ls", "-1", "--running"); running != "one\nthree\n" {
		t.Errorf("running:\n%s", running)
	}
	if now := *factsOf(t, sysct, "one").Pid; now != pid {
		t.Errorf("one was process %d and is %d", pid, now)
	}
	// After a stop with the service, all start with the next one.
	h = serveHost(t, top, nil)
	h.says("the host service runs")
	h.end(unix.SIGTERM)
	h = serveHost(t, top, nil)
	h.says("4 of 4 guests started")
}

// TestHostRunAfterReboot: what was noted before the host's boot counts for nothing.
func TestHostRunAfterReboot(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "web", "-t", "busybox", "-c", "autostart.enabled=true")
	sysct("create", "other", "-t", "busybox")
	h := serveHost(t, top, nil)
	h.says("1 of 1 guests started")
	sysct("start", "other")
	h.end(unix.SIGKILL)
	// The power goes: what is in files stays as it is, of another boot.
	files := map[string][]byte{}
	for _, path := range []string{"/run/web/run.json", "/run/other/run.json", "/run/.host/autostart.json"} {
		data, err := os.ReadFile(top + path)
		if err != nil {
			t.Fatal(err)
		}
		boot := regexp.MustCompile(`("boot_id": ?)"[^"]*"`)
		files[top+path] = boot.ReplaceAll(data, []byte(`$1"00000000-0000-4000-8000-000000000000"`))
	}
	sysct("stop", "-k", "--all", "-j", "2")
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h = serveHost(t, top, nil)
	h.says("1 of 1 guests started")
	h.says("removed: run state of an earlier boot of the host, of other")
	if running := sysct("ls", "-1", "--running"); running != "web\n" {
		t.Errorf("running:\n%s", running)
	}
	if log := sysct("logs", "web"); strings.Count(log, "boot 1:") != 2 {
		t.Errorf("web's boots, before and after:\n%s", log)
	}
}

// TestHostRunNotifies: a service manager is told when it is ready, and a guest that is
// never ready holds the others up for a time only.
func TestHostRunNotifies(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "never", "-t", "busybox", "-c", "autostart.enabled=true", "-c", "init.halt=SIGKILL", "-c", `init.cmd=["/bin/sleep", "100000"]`)
	sysct("create", "web", "-t", "busybox", "-c", "autostart.enabled=true", "-c", "autostart.after=never")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: top + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := serveHost(t, top, []string{"NOTIFY_SOCKET=" + top + "/notify"}, "-T", "1s")
	told := func(want string) {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("not told %q: %v", want, err)
			}
			if strings.Contains(string(buf[:n]), want) {
				return
			}
		}
	}
	told("READY=1")
	h.says("web starts though never is not ready after 1s")
	told("STATUS=2 of 2 guests started")
	h.cmd.Process.Signal(unix.SIGHUP)
	told("RELOADING=1")
	told("READY=1")
	h.cmd.Process.Signal(unix.SIGINT)
	told("STOPPING=1")
	if status := h.end(unix.SIGTERM); status != 0 {
		t.Errorf("status %d", status)
	}
}
