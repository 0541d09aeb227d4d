package vnet

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestNewPlan(t *testing.T) {
	for _, c := range []struct {
		types []string
		want  Plan
		err   string
	}{
		{nil, Plan{Private: true, Loopback: true}, ""},
		{[]string{"none"}, Plan{Private: true, Loopback: true}, ""},
		{[]string{"host"}, Plan{}, ""},
		{[]string{"veth"}, Plan{}, `unknown type "veth"`},
		{[]string{"host", "none"}, Plan{}, "at most one"},
	} {
		got, err := NewPlan(c.types)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("NewPlan(%q) = %+v, %v", c.types, got, err)
		}
	}
}

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
