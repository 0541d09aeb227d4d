package space

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestLoopbackUp runs itself again in a network namespace of its own.
func TestLoopbackUp(t *testing.T) {
	const marker = "SYSCT_TEST_LOOPBACK"
	if os.Getenv(marker) != "" {
		if err := LoopbackUp(); err != nil {
			t.Fatal(err)
		}
		flags, err := os.ReadFile("/proc/net/if_inet6")
		if err != nil || !strings.Contains(string(flags), "lo") {
			t.Fatalf("lo has no ::1 address, so it is not up: %q %v", flags, err)
		}
		return
	}
	c := exec.Command("/proc/self/exe", "-test.run=^TestLoopbackUp$")
	c.Env = append(os.Environ(), marker+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
