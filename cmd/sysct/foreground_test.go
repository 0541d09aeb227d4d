package main

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestForegroundWithoutATerminal is what a service manager does: no input, the console
// into a log, and a SIGTERM at the end, which is answered by a clean stop and status 0.
func TestForegroundWithoutATerminal(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "tiny", "-t", "busybox")
	cmd := command(top, "start", "-F", "tiny")
	shown, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(shown)
	lines.Split(bufio.ScanWords) // no line end follows the prompt
	seen := ""
	for !strings.Contains(seen, "login:") && lines.Scan() {
		seen += lines.Text() + " "
	}
	if !strings.Contains(seen, "login:") {
		t.Fatalf("the console wasn't shown: %q", seen)
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after a SIGTERM that was followed: %v", err)
	}
	if says := sysct("info", "tiny"); !strings.Contains(says, "poweroff") {
		t.Errorf("it wasn't stopped by its own shutdown:\n%s", says)
	}
}
