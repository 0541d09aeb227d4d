package main

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"
)

// TestFollowLogs goes from the first start of a guest to its destruction, over a
// rotation.
func TestFollowLogs(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "tiny", "-t", "busybox")
	cmd := command(top, "logs", "-f", "tiny")
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
	expect := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("%q wasn't shown", text)
	}
	sysct("start", "tiny")
	expect("init is process")
	log := top + "/lib/.log/tiny.log"
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	sysct("stop", "-k", "tiny")
	expect("stopped")
	sysct("start", "tiny")
	expect("init is process")
	sysct("stop", "-k", "tiny")
	expect("stopped")
	sysct("destroy", "tiny")
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after the guest's destruction: %v", err)
	}
}
