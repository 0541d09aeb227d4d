package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testimages"
)

// terminalSession is a process on a terminal of its own, as a user has it.
type terminalSession struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	mu     sync.Mutex
	seen   strings.Builder // since the last expect that matched
	all    strings.Builder
}

func onTerminal(t *testing.T, cmd *exec.Cmd) *terminalSession {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100})
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY)
	if errno != 0 {
		t.Fatal(errno)
	}
	tty := os.NewFile(slave, "slave")
	defer tty.Close()
	s := &terminalSession{t: t, cmd: cmd, master: os.NewFile(uintptr(fd), "master")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read()
	t.Cleanup(func() { cmd.Process.Kill(); s.master.Close() })
	return s
}

func (s *terminalSession) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.seen.Write(buf[:n])
		s.all.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// expect waits until the text has been shown, and forgets what came before.
func (s *terminalSession) expect(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		_, after, found := strings.Cut(s.seen.String(), text)
		if found {
			s.seen.Reset()
			s.seen.WriteString(after)
		}
		s.mu.Unlock()
		if found {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Fatalf("%q was not shown; shown was\n%q", text, s.all.String())
}

func (s *terminalSession) send(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the process and checks its status.
func (s *terminalSession) ends(status int) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case <-done:
		if got := s.cmd.ProcessState.ExitCode(); got != status {
			s.t.Errorf("exit status %d, want %d; shown was\n%q", got, status, s.all.String())
		}
	case <-time.After(time.Minute):
		s.t.Fatalf("it does not end; shown was\n%q", s.all.String())
	}
}

// TestConsole is a user at the console of a Debian and of a busybox guest: login,
// a command, detach, attach again, and the same after the monitor was killed.
func TestConsole(t *testing.T) {
	for _, c := range []struct {
		template string
		args     []string
		password string // sets root's to "secret"
	}{
		{"debian", append([]string{"--"}, testimages.DebianArgs("bookworm")...), "echo root:secret | chpasswd"},
		// Debian's busybox has no passwd.
		{"busybox", nil, "sed -i 's,^root:[^:]*:,root:$1$sysct$XdJqT/VxsblNQDJ75qEHG/:,' /etc/shadow"},
	} {
		t.Run(c.template, func(t *testing.T) {
			top, sysct := instance(t)
			sysct(append([]string{"create", "web", "-t", c.template}, c.args...)...)
			sysct("start", "web", "--wait")
			sysct("exec", "web", "--", "sh", "-c", c.password)
			attach := func() *terminalSession {
				s := onTerminal(t, command(top, "console", "web"))
				s.expect("Connected to tty 0. Type <Ctrl+a q> to exit the console")
				return s
			}
			s := attach()
			s.expect("web login:") // the replay of what was shown before
			s.send("\r")           // the enter key, as a terminal sends it
			s.expect("web login:")
			s.send("root\r")
			s.expect("assword:")
			s.send("secret\r")
			s.expect("root@web:~")
			s.send("echo mark-$((40+2)) $(stty size)\n")
			s.expect("mark-42 40 100")
			s.send("\x01q")
			s.ends(0)

			s = attach()
			s.expect("mark-42 40 100") // replayed
			s.send("echo again-$((40+2))\n")
			s.expect("again-42")
			killMonitor(t, sysct)
			s.ends(0)

			s = attach()
			s.expect("again-42")
			s.send("echo adopted-$((40+2))\n")
			s.expect("adopted-42")
			s.send("\x01q")
			s.ends(0)
			if log := sysct("console", "web", "--log"); !strings.Contains(log, "adopted-42") {
				t.Errorf("the console's log has no %q:\n%s", "adopted-42", log)
			}
		})
	}
}

func killMonitor(t *testing.T, sysct func(...string) string) {
	t.Helper()
	old := monitorPid(t, sysct)
	if err := unix.Kill(old, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if pid := monitorPid(t, sysct); pid != 0 && pid != old {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("no other monitor has taken over")
}

func monitorPid(t *testing.T, sysct func(...string) string) int {
	t.Helper()
	pid := 0
	for _, line := range strings.Split(sysct("info", "web"), "\n") {
		fmt.Sscanf(line, "Monitor PID: %d", &pid)
	}
	return pid
}

// TestExecOnATerminal: the command has a terminal of the guest's, of our size.
func TestExecOnATerminal(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "web", "-t", "busybox")
	sysct("start", "web", "--wait")
	s := onTerminal(t, command(top, "exec", "web", "--", "sh", "-c", "tty; stty size; read x; echo got $x; exit 3"))
	s.expect("/dev/pts/")
	s.expect("40 100")
	s.send("line\n")
	s.expect("got line")
	s.ends(3)
	s = onTerminal(t, command(top, "shell", "web"))
	s.expect("root@web:~")
	s.send("echo $USER-$0; exit 5\n")
	s.expect("root-")
	s.ends(5)
}

// TestExecGivesNoHostTerminal: without a terminal of its own the command has
// pipes, even if our standard files are a terminal.
func TestExecGivesNoHostTerminal(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "web", "-t", "busybox")
	sysct("start", "web", "--wait")
	s := onTerminal(t, command(top, "exec", "web", "-T", "--", "sh", "-c", "ls -l /proc/self/fd | sed 's/.*-> /fd=/'; read x; echo got $x; exit 4"))
	s.expect("fd=pipe:")
	s.send("line\n")
	s.expect("got line")
	s.ends(4)
	if shown := s.all.String(); strings.Contains(shown, "fd=/dev/") {
		t.Errorf("the command has a terminal of the host's:\n%s", shown)
	}
}

// TestExitStatuses are those that scripts rely on.
func TestExitStatuses(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "web", "-t", "busybox")
	for _, c := range []struct {
		status int
		args   string
	}{
		{0, "ls"}, {4, "lss"}, {4, "ls --no-such"}, {4, "stop web -k --nokill"}, {4, "start"},
		{2, "stop web"}, {3, "start nope"}, {3, "info nope"}, {6, "wait web RUNNING -t 0"}, {2, "wait web ready"},
		{2, "exec web -- true"}, {3, "exec nope -- true"}, {125, "exec web"}, {125, "exec web --tty -T -- true"},
	} {
		cmd := command(top, strings.Fields(c.args)...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.status {
			t.Errorf("sysct %s: status %d, want %d\n%s", c.args, got, c.status, out)
		}
	}
	sysct("start", "web", "--wait")
	for status, args := range map[int]string{2: "start web", 125: "exec web -u nobody-at-all -- true", 126: "exec web -- /etc/passwd",
		127: "exec web -- no-such-command", 137: "exec web -- sh -c kill\t-9\t$$"} {
		cmd := command(top, unTab(strings.Fields(strings.ReplaceAll(args, "\t", "\x00")))...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Errorf("sysct %s: status %d, want %d\n%s", args, got, status, out)
		}
	}
}

// unTab turns what stands for a blank inside an argument into one.
func unTab(args []string) []string {
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "\x00", " ")
	}
	return args
}
