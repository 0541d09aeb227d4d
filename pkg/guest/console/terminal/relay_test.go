package terminal

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// relayRole is what exec does: a shell command on a pty of its own.
func relayRole(args []string) int {
	code, err := relayed(args[0], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 97
	}
	return code
}

func relayed(command string, in, out *os.File) (int, error) {
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		return 0, err
	}
	s, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(m), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return 0, errno
	}
	master, slave := os.NewFile(uintptr(m), "master"), os.NewFile(s, "slave")
	defer master.Close()
	if err := FitSize(master, in, out); err != nil {
		return 0, err
	}
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return 0, err
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	err = Relay(master, in, out, done)
	<-done
	return cmd.ProcessState.ExitCode(), err
}

func TestRelay(t *testing.T) {
	u := startUser(t, "relay", nil, `stty size; until stty size | grep "50 132"; do sleep 0.01; done; read line; echo "got $line"; exit 7`)
	expect(t, u.master, "24 80\r\n")
	u.waitRaw()
	u.resize(50, 132)
	expect(t, u.master, "50 132\r\n")
	write(t, u.master, "\x01q text\r")
	expect(t, u.master, "got \x01q text\r\n")
	if code := u.exit(); code != 7 {
		t.Errorf("exit status %d", code)
	}
}

// Control keys are the process's.
func TestRelayInterrupt(t *testing.T) {
	u := startUser(t, "relay", nil, `trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done`)
	expect(t, u.master, "ready")
	u.waitRaw()
	write(t, u.master, "\x03")
	expect(t, u.master, "caught")
	if code := u.exit(); code != 3 {
		t.Errorf("exit status %d", code)
	}
}

// relayPipes runs a command with these bytes as its whole input, which it is given
// when it says that it is ready.
func relayPipes(t *testing.T, command, input string) (string, int) {
	t.Helper()
	inR, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	code := make(chan int, 1)
	go func() {
		n, err := relayed(command, inR, outW)
		if err != nil {
			t.Error(err)
		}
		inR.Close()
		outW.Close()
		code <- n
	}()
	if strings.Contains(command, "echo ready;") {
		expect(t, out, "ready\n")
	}
	go func() { io.WriteString(in, input); in.Close() }()
	got, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(got), <-code
}

// All bytes come through both ways, and the last output of a process that ended at
// once isn't lost.
func TestRelayIsBinaryClean(t *testing.T) {
	var all strings.Builder
	for i := range 1 << 20 {
		all.WriteByte(byte(i ^ i>>8 ^ i>>16))
	}
	got, code := relayPipes(t, fmt.Sprintf("stty raw -echo; echo ready; exec head -c %d", all.Len()), all.String())
	if code != 0 || got != all.String() {
		t.Errorf("exit status %d, %d bytes", code, len(got))
	}
}

func TestRelayDrains(t *testing.T) {
	got, code := relayPipes(t, "stty -echo; seq 200000; exit 5", "")
	if code != 5 || !strings.HasSuffix(got, "\r\n200000\r\n") || strings.Count(got, "\n") != 200000 {
		t.Errorf("exit status %d, %d lines, ends in %q", code, strings.Count(got, "\n"), got[max(0, len(got)-20):])
	}
}

// The end of the input is the end of the process's, even in the middle of a line.
func TestRelayEndOfInput(t *testing.T) {
	for input, want := range map[string]string{"": "", "line\n": "line\n", "half": "half"} {
		if got, code := relayPipes(t, "stty -echo -onlcr; echo ready; exec cat", input); code != 0 || got != want {
			t.Errorf("%q: exit status %d, %q", input, code, got)
		}
	}
}

// A process left behind that has the tty open keeps nobody waiting, silent or not.
func TestRelayLeftBehind(t *testing.T) {
	for _, what := range []string{"sleep 30", "yes"} {
		got, code := relayPipes(t, `trap "" HUP; timeout 30 `+what+` & echo started; echo "last"; exit 4`, "")
		if code != 4 || !strings.Contains(got, "last\r\n") {
			t.Errorf("%s: exit status %d, got %d bytes", what, code, len(got))
		}
	}
}

// A process that closes its terminal for a while isn't at its end.
func TestRelayReopened(t *testing.T) {
	got, code := relayPipes(t, `tty=$(tty); exec <&- >&- 2>&-; sleep 0.2; exec >$tty; echo back; exit 6`, "")
	if code != 6 || !strings.HasSuffix(got, "back\r\n") {
		t.Errorf("exit status %d, %q", code, got)
	}
}
