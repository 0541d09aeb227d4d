//go:build vm

package cases

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sh runs a shell command that has to succeed, and gives what it prints without the last newline.
func sh(t *testing.T, command string) string {
	t.Helper()
	out, status := try(t, command)
	if status != 0 {
		t.Fatalf("%s: status %d\n%s", command, status, out)
	}
	return out
}

// try runs a shell command and gives what it prints, complaints too, and its status.
func try(t *testing.T, command string) (string, int) {
	t.Helper()
	cmd := shell(command)
	out, _ := cmd.CombinedOutput() // the status tells
	text := strings.TrimSuffix(string(out), "\n")
	t.Logf("%s# %s\n%s", time.Now().Format("15:04:05 "), command, text)
	return text, cmd.ProcessState.ExitCode()
}

// shell has new guests without a network, unless the command says another.
func shell(command string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", command)
	cmd.Env = append(os.Environ(), "SYSCT_NETWORK=none")
	return cmd
}

// want runs a shell command that has to succeed and print exactly this.
func want(t *testing.T, command, output string) {
	t.Helper()
	if got := sh(t, command); got != output {
		t.Errorf("%s: got %q, want %q", command, got, output)
	}
}

// soon waits until a shell command succeeds, five minutes at most, and gives what it prints.
func soon(t *testing.T, command string) string {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		out, err := shell(command).CombinedOutput()
		if err == nil {
			return strings.TrimSuffix(string(out), "\n")
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so within five minutes: %v\n%s", command, err, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// boot gives how often this case has booted the machine.
func boot(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("VM_BOOT"))
	if err != nil {
		t.Fatalf("this runs in a test machine only: make test-vm (%v)", err)
	}
	return n
}

// reboot has the machine rebooted, by systemctl reboot, when the test function has returned, which is called again then.
func reboot(t *testing.T) { t.Helper(); ask(t, "reboot") }

// powerCut has the machine reset instead: nothing is stopped or written.
func powerCut(t *testing.T) { t.Helper(); ask(t, "reset") }

func ask(t *testing.T, what string) {
	t.Helper()
	if err := os.WriteFile("/run/vm-case", []byte(what), 0o600); err != nil {
		t.Fatal(err)
	}
}
