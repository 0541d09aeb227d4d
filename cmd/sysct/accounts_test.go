package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAccounts is what the verbs that show use say of two busybox guests.
func TestAccounts(t *testing.T) {
	top, sysct := instance(t)
	sysct("launch", "one", "-t", "busybox", "-c", "limits.memory=64M", "-c", "limits.cpu_quota=10%", "-c", "limits.pids=40", "--wait")
	sysct("launch", "two", "-t", "busybox", "--wait")
	t.Run("info", func(t *testing.T) { testInfoUsage(t, top, sysct) })
	t.Run("ls", func(t *testing.T) { testListUsage(t, sysct) })
	t.Run("top in batches", func(t *testing.T) { testTopBatch(t, sysct) })
	t.Run("top on a terminal", func(t *testing.T) { testTopScreen(t, top) })
	t.Run("ps", func(t *testing.T) { testProcesses(t, top, sysct) })
	t.Run("df", func(t *testing.T) { testDiskUse(t, sysct) })
	t.Run("metrics", func(t *testing.T) { testMetrics(t, sysct) })
	t.Run("metrics on a socket", func(t *testing.T) { testMetricsServed(t, top) })
	t.Run("metrics by TCP", func(t *testing.T) { testMetricsByTCP(t, top) })
	t.Run("top without guests", func(t *testing.T) { testTopEmpty(t) })
}

// testInfoUsage has a guest meet each of its limits.
func testInfoUsage(t *testing.T, top string, sysct func(...string) string) {
	spinner := command(top, "exec", "one", "--", "sh", "-c", "while :; do :; done")
	if err := spinner.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); strings.TrimSpace(sysct("ls", "-H", "-o", "throttled", "one")) == "0"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the quota holds nobody up")
		}
	}
	spinner.Process.Signal(syscall.SIGTERM)
	spinner.Wait()
	for _, script := range []string{
		"dd if=/dev/zero of=/dev/null bs=100M count=1",
		"i=0; while [ $i -lt 60 ]; do sleep 30 & i=$((i+1)); done",
	} {
		if err := command(top, "exec", "one", "--", "sh", "-c", script).Run(); err == nil {
			t.Errorf("%s: no limit stands in its way", script)
		}
	}
	info := sysct("info", "one")
	for _, pattern := range []string{
		`(?m)^CPU use: +\d+\.\d\d s \(user \d+\.\d\d s, system \d+\.\d\d s\)$`,
		`(?m)^CPU limit: +0\.1 of a CPU's time$`,
		`(?m)^CPU throttled: +[1-9]\d* of [1-9]\d* periods, for \d+\.\d\d s$`,
		`(?m)^Memory is: +anonymous .*, files .*, kernel `,
		`(?m)^Memory limit: +64\.0M \(\d+ % used\)$`,
		`(?m)^OOM kills: +[1-9]`,
		`(?m)^Processes: +\d+ of 40`,
		`(?m)^Forks refused: +[1-9]`,
	} {
		if !regexp.MustCompile(pattern).MatchString(info) {
			t.Errorf("no %s in\n%s", pattern, info)
		}
	}
	var got struct {
		Usage struct {
			Memory, MemoryMax int64
			CPUThrottled      int64 `json:"cpu_throttled"`
			PidsHits          int64 `json:"pids_hits"`
			OOMKills          int64 `json:"oom_kills"`
			Pressure          map[string]struct{ Some, Full map[string]float64 }
		}
	}
	if err := json.Unmarshal([]byte(sysct("info", "--json", "one")), &got); err != nil {
		t.Fatal(err)
	}
	if u := got.Usage; u.Memory == 0 || u.CPUThrottled == 0 || u.PidsHits == 0 || u.OOMKills == 0 {
		t.Errorf("%+v", u)
	}
	if _, err := os.Stat("/proc/pressure/cpu"); err == nil && got.Usage.Pressure["cpu"].Some["total"] == 0 {
		t.Errorf("nobody has waited for a CPU: %+v", got.Usage.Pressure)
	}
}

func testListUsage(t *testing.T, sysct func(...string) string) {
	header, _, _ := strings.Cut(sysct("ls", "-f"), "\n")
	if want := "NAME STATE PID MEMORY CPU IO PIDS PRESSURE TEMPLATE"; !strings.HasPrefix(strings.Join(strings.Fields(header), " "), want) {
		t.Errorf("got %s, want %s…", header, want)
	}
	got := strings.Fields(sysct("ls", "-H", "-o", "name,memory_max,cpu_quota,pids_max,pids_hits,throttled,cpu_pressure", "-s", "memory_max", "one"))
	if len(got) != 7 || got[1] != "64.0M" || got[2] != "0.1" || got[3] != "40" || got[4] == "0" || got[5] == "0" || !strings.HasSuffix(got[6], "%") {
		t.Errorf("got %q", got)
	}
}

func testTopBatch(t *testing.T, sysct func(...string) string) {
	lines := strings.Split(strings.TrimSpace(sysct("top", "-b", "-n", "2", "-d", "0.2", "-s", "name", "-r")), "\n")
	if len(lines) != 11 || !strings.Contains(lines[0], "2 guests, ") || !strings.HasPrefix(lines[2], "NAME^ ") ||
		!strings.HasPrefix(lines[3], "two ") || !strings.HasPrefix(lines[4], "one ") || lines[5] != "" || !strings.HasPrefix(lines[9], "two ") {
		t.Errorf("got %q", lines)
	}
	documents := strings.Split(strings.TrimSpace(sysct("top", "--json", "-n", "2", "-d", "0.2", "-s", "memory")), "\n")
	for _, text := range documents {
		var d topDocument
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		if len(d.Guests) != 2 || d.Seconds <= 0 || d.Guests[0].CPUPercent == nil || *d.Guests[0].Usage.Memory < *d.Guests[1].Usage.Memory {
			t.Errorf("got %s", text)
		}
	}
	if len(documents) != 2 {
		t.Errorf("%d objects", len(documents))
	}
}

// testTopScreen is a user at the live screen: keys, a change of the size, a stop and a
// continuation, and each end.
func testTopScreen(t *testing.T, top string) {
	calm := onTerminal(t, exec.Command("true"))
	calm.ends(0)
	before := termiosOf(t, calm) // as every terminal is at first
	s := onTerminal(t, command(top, "top", "-d", "0.3"))
	s.expect("\x1b[?1049h\x1b[?25l")
	s.expect("CPU%*")
	if termiosOf(t, s).Lflag&unix.ICANON != 0 {
		t.Error("the terminal isn't raw")
	}
	s.send("n")
	s.expect("NAME*")
	s.expect("one ")
	s.expect("two ")
	s.send("r")
	s.expect("NAME^")
	s.expect("two ")
	s.expect("one ")
	s.send("\x1b[A") // an arrow is no key of ours
	s.send("m")
	s.expect("MEMORY*")
	s.send("p")
	s.expect("PIDS*")
	s.send("i")
	s.expect("READ/s*")
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 5, Col: 30}); err != nil {
		t.Fatal(err)
	}
	s.send("c")
	s.expect("CPU%*")
	s.expect("\x1b[J\x1b[H") // the next frame
	s.send("\x1a")
	s.expect("\x1b[?1049l")
	pid := s.cmd.Process.Pid
	waitState(t, pid, "T")
	if termiosOf(t, s) != before {
		t.Error("stopped with the terminal raw")
	}
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.expect("\x1b[?1049h")
	s.send("q")
	s.expect("\x1b[?25h\x1b[?1049l")
	s.ends(0)
	if termiosOf(t, s) != before {
		t.Error("q leaves the terminal raw")
	}
	for _, end := range []struct {
		key    string
		signal syscall.Signal
		status int
	}{{key: "\x03", status: 130}, {signal: syscall.SIGTERM, status: 143}, {signal: syscall.SIGHUP, status: 129}} {
		s := onTerminal(t, command(top, "top"))
		s.expect("PRESSURE")
		if end.key != "" {
			s.send(end.key)
		} else if err := s.cmd.Process.Signal(end.signal); err != nil {
			t.Fatal(err)
		}
		s.expect("\x1b[?1049l")
		s.ends(end.status)
		if termiosOf(t, s) != before {
			t.Errorf("%+v leaves the terminal raw", end)
		}
	}
}

// testTopEmpty: where there is nothing to show the table stays, empty.
func testTopEmpty(t *testing.T) {
	top, _ := instance(t)
	s := onTerminal(t, command(top, "top", "-d", "0.1"))
	for range 3 {
		s.expect("0 guests, ")
		s.expect("NAME")
	}
	s.send("q")
	s.ends(0)
}

func termiosOf(t *testing.T, s *terminalSession) unix.Termios {
	t.Helper()
	tio, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *tio
}

// waitState waits until a process is in a state of /proc/PID/stat.
func waitState(t *testing.T, pid int, state string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && strings.Contains(string(text), ") "+state+" ") {
			return
		}
	}
	t.Fatalf("process %d doesn't become %s", pid, state)
}
