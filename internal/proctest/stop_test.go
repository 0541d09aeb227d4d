package proctest

import (
	"os"
	"os/exec"
	"testing"
)

func TestStop(t *testing.T) {
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		busy.Process.Kill()
		busy.Wait()
	})
	if runs(busy.Process.Pid) == "" {
		t.Error("a busy process seems stopped")
	}
	Stop(t, busy.Process.Pid)
	if going := runs(busy.Process.Pid); going != "" {
		t.Errorf("after Stop: %s", going)
	}
	if runs(os.Getpid()) == "" {
		t.Error("this process seems stopped")
	}
}
