package limitstest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

func mentions(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func testJoining(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	c := start(t, g, "exec sleep 600")
	c.running(t, "sleep")
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	own := "/" + Base() + "/one"
	if !strings.Contains(string(text), "0::"+own+"/guest/payload\n") {
		t.Errorf("it isn't in payload: %s", text)
	}
	if n := strings.Count(string(text), ":"+own+"\n"); n != len(h.V1) {
		t.Errorf("it is in %d v1 groups and not in %d: %s", n, len(h.V1), text)
	}
	if s, err := g.Stats(); err != nil || h.has("pids") && s.Pids.Current != 1 {
		t.Errorf("figures: %+v, %v", s, err)
	}
}

// testDelegation lets the guest's root try what it may and what it may not.
func testDelegation(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	payload := h.guest("one") + "/payload"
	may := []string{
		"mkdir " + payload + "/mine",
		"echo $$ > " + payload + "/mine/cgroup.procs",
		"echo threaded > " + payload + "/mine/cgroup.type && echo 0 > " + payload + "/mine/cgroup.threads",
		"echo > " + payload + "/cgroup.subtree_control",
		"echo 'some 150000 1000000' > " + payload + "/cpu.pressure",
	}
	mayNot := []string{
		"mkdir " + h.guest("one") + "/mine",
		"rmdir " + payload,
		"echo $$ > " + h.guest("one") + "/cgroup.procs",
		"echo > " + h.guest("one") + "/cgroup.subtree_control",
		"echo 1 > " + h.guest("one") + "/cgroup.freeze",
		"echo 1 > " + payload + "/cgroup.freeze",
		"echo 0 > " + payload + "/cgroup.pressure",
		"echo 5 > " + payload + "/cgroup.max.depth",
	}
	for _, mount := range h.V1 {
		mayNot = append(mayNot, "mkdir "+mount+"/"+Base()+"/one/mine", "echo 0 > "+mount+"/"+Base()+"/one/tasks", "echo 0 > "+mount+"/tasks")
	}
	for _, script := range may {
		if c := start(t, g, script); c.wait(t).ExitCode() != 0 {
			t.Errorf("refused: %s: %s", script, c.output.String())
		}
	}
	for _, script := range mayNot {
		if c := start(t, g, script); c.wait(t).ExitCode() == 0 {
			t.Errorf("allowed: %s", script)
		}
	}
}

func testLeaf(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	path := h.guest("one") + "/payload/.sysct"
	if c := start(t, g, "mkdir "+path); c.wait(t).ExitCode() != 0 {
		t.Fatal(c.output.String())
	}
	// The guest's own leaf, which it could freeze, gives way to one of root's.
	for range 2 {
		leaf, err := g.Leaf()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(leaf)
		var st unix.Stat_t
		if err := unix.Fstat(leaf, &st); err != nil || st.Uid != 0 {
			t.Errorf("owner %d, %v", st.Uid, err)
		}
		c := prepare(g, leaf, "cat /proc/self/cgroup")
		c.run(t)
		if c.wait(t); !strings.Contains(c.output.String(), "0::/"+Base()+"/one/guest/payload/.sysct\n") {
			t.Errorf("it isn't in the leaf: %s", c.output.String())
		}
	}
	if c := start(t, g, "echo 1 > "+path+"/cgroup.freeze"); c.wait(t).ExitCode() == 0 {
		t.Error("the guest can freeze the leaf")
	}
	testHeldLeaf(t, g, path)
}

// testHeldLeaf puts a process of the guest's into a leaf of the guest's.
func testHeldLeaf(t *testing.T, g limits.Group, path string) {
	c := start(t, g, fmt.Sprintf("rmdir %s && mkdir %s && echo $$ > %s/cgroup.procs && exec sleep 600", path, path, path))
	c.running(t, "sleep")
	if fd, err := g.Leaf(); !mentions(err, "made one of its own") {
		t.Errorf("got %d, %v", fd, err)
	}
}
