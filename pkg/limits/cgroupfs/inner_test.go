package cgroupfs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

const unified = "/sys/fs/cgroup/unified"

// hybrid is the tree of this host with one v1 hierarchy after another.
func hybrid() Tree {
	tree := Tree{V2: unified, V1: map[string]string{}}
	for _, c := range []string{"cpu", "cpuset", "memory", "pids"} {
		tree.V1[c] = "/sys/fs/cgroup/" + c
	}
	return tree
}

// innerBase is not the suite's: both clean up and look for leftovers.
func innerBase() string { return fmt.Sprintf("sysct-inner-%d", os.Getpid()) }

// made makes a guest's groups for the length of a test.
func made(t *testing.T, b *Backend, name string) *group {
	t.Helper()
	g, err := b.Make(innerBase(), name, limits.Limits{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Remove(), g.Close()); err != nil {
			t.Error(err)
		}
	})
	return g.(*group)
}

// sleeper runs a process in a v2 group.
func sleeper(t *testing.T, d *dir, command string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(command, args...)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: d.fd}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // the test may have done it
		_ = c.Wait()
	})
	return c
}

func TestBusyGroupNamesTheProcess(t *testing.T) {
	g := made(t, New(hybrid()), "one")
	c := sleeper(t, g.payload, "sleep", "600")
	root, err := openMount(unified)
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	err = removeTree(root, innerBase(), "one", time.Now().Add(20*time.Millisecond))
	want := fmt.Sprintf("process %d (\"sleep\") is still in it", c.Process.Pid)
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := os.Stat("/sys/fs/cgroup/memory/" + innerBase() + "/one"); err != nil {
		t.Errorf("the limits are gone while a process runs: %v", err)
	}
}

// TestMakeUndoesEverything has names that are a file's in the second hierarchy or
// a later one, when other groups have been made already.
func TestMakeUndoesEverything(t *testing.T) {
	b := New(hybrid())
	other := made(t, b, "other")
	for _, name := range []string{"tasks", "cpuset.cpus", "memory.stat", "pids.max"} {
		_, err := b.Make(innerBase(), name, limits.Limits{}, 0, nil)
		if !errors.Is(err, unix.ENOTDIR) || !strings.Contains(err.Error(), "the kernel has a file of that name") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, mount := range b.tree.mounts() {
		names, err := listBase(mount, innerBase())
		if err != nil || !slices.Equal(names, []string{"other"}) {
			t.Errorf("%s has %v, %v", mount, names, err)
		}
	}
	if err := other.Freeze(time.Minute); err != nil {
		t.Error(err)
	}
}

// TestKnobThatFailsIsUndone gives a guest a CPU that its base has not.
func TestKnobThatFailsIsUndone(t *testing.T) {
	b := New(hybrid())
	made(t, b, "other")
	base := "/sys/fs/cgroup/cpuset/" + innerBase()
	for _, name := range []string{"/other", ""} {
		if err := os.WriteFile(base+name+"/cpuset.cpus", []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Make(innerBase(), "one", limits.Limits{CPUSet: "1"}, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot set cpuset.cpus to 1") {
		t.Errorf("got %v", err)
	}
	if names, err := b.List(innerBase()); err != nil || !slices.Equal(names, []string{"other"}) {
		t.Errorf("left: %v, %v", names, err)
	}
}

// TestGroupsIgnoreTheUmask: the guest must see its own groups.
func TestGroupsIgnoreTheUmask(t *testing.T) {
	old := unix.Umask(0o77)
	defer unix.Umask(old)
	g := made(t, New(hybrid()), "one")
	leaf, err := g.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaf)
	for _, fd := range []int{g.guest.fd, g.payload.fd, leaf} {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&0o777 != 0o755 {
			t.Errorf("mode %o, %v", st.Mode, err)
		}
	}
}

// TestKillEach is for kernels without cgroup.kill: forks go on until all is dead.
func TestKillEach(t *testing.T) {
	g := made(t, New(hybrid()), "one")
	c := sleeper(t, g.payload, "sh", "-c", "while :; do sleep 600 & sleep 0.001; done")
	frozen := sleeper(t, g.payload, "sleep", "600")
	for pids, _ := pidsBelow(g.guest); len(pids) < 20; pids, _ = pidsBelow(g.guest) {
		time.Sleep(time.Millisecond)
	}
	if err := killEach(g.guest); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()      // how they end is asked below
	_ = frozen.Wait() // of their ProcessState
	if c.ProcessState.String() != "signal: killed" || frozen.ProcessState.String() != "signal: killed" {
		t.Errorf("ended by %v, %v", c.ProcessState, frozen.ProcessState)
	}
	if text, err := g.guest.read("cgroup.freeze"); err != nil || text != "0\n" {
		t.Errorf("left frozen: %q, %v", text, err)
	}
}

// TestEnableDown uses hugetlb, the one controller of this host's v2 tree.
func TestEnableDown(t *testing.T) {
	restoreRoot(t)
	g := made(t, New(Tree{V2: unified}), "one")
	chain := chainTo(t, g)
	refused := enableDown(chain, []string{"hugetlb", "nonesuch"})
	if len(refused) != 1 || !errors.Is(refused["nonesuch"], unix.EINVAL) {
		t.Errorf("refused: %v", refused)
	}
	if have, err := g.payload.words("cgroup.controllers"); err != nil || !slices.Equal(have, []string{"hugetlb"}) {
		t.Errorf("payload has %v, %v", have, err)
	}
	if refused := enableDown(chain, []string{"hugetlb"}); len(refused) != 0 { // again
		t.Errorf("refused: %v", refused)
	}
}

// TestEnableSaysWhoIsInTheWay has a process in a group that should have controllers below.
func TestEnableSaysWhoIsInTheWay(t *testing.T) {
	restoreRoot(t)
	g := made(t, New(Tree{V2: unified}), "one")
	chain := chainTo(t, g)
	c := sleeper(t, chain[2], "sleep", "600")
	refused := enableDown(chain, []string{"hugetlb"})
	want := fmt.Sprintf("process %d (\"sleep\") is in the way", c.Process.Pid)
	if err := refused["hugetlb"]; !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), want) {
		t.Errorf("refused: %v, want %s", refused, want)
	}
	if have, err := chain[3].words("cgroup.subtree_control"); err != nil || len(have) != 0 {
		t.Errorf("went on below: %v, %v", have, err)
	}
}

// TestRefusedControllerIsMissing replans without what the kernel refused: a limit
// that the user set ends it, anything else is a warning.
func TestRefusedControllerIsMissing(t *testing.T) {
	g := made(t, New(Tree{V2: unified}), "one")
	chain := chainTo(t, g)
	n := int64(100)
	m := maker{Backend: &Backend{}, limits: limits.Limits{Pids: &n}, on: limits.Controllers{V2: []string{"pids"}}, plan: &limits.Plan{Enable: []string{"pids"}}}
	m.root, m.parent, m.group, m.guest = chain[0], chain[1], chain[2], chain[3]
	var field *limits.FieldError
	if err := m.enable(); !errors.As(err, &field) || !errors.Is(err, unix.ENOENT) {
		t.Errorf("a limit of the user's: %v", err)
	}
	m.limits.PidsDefault = true
	if err := m.enable(); err != nil || len(m.warnings) != 2 || len(m.plan.V2) != 0 {
		t.Errorf("the default: %v, %q", err, m.warnings)
	}
}

// chainTo opens the groups from the root down to guest.
func chainTo(t *testing.T, g *group) []*dir {
	t.Helper()
	root, err := openMount(unified)
	if err != nil {
		t.Fatal(err)
	}
	chain := []*dir{root}
	for _, name := range []string{innerBase(), g.name, "guest"} {
		next, err := chain[len(chain)-1].open(name)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, next)
	}
	t.Cleanup(func() {
		for _, d := range chain {
			d.close()
		}
	})
	return chain
}

// restoreRoot puts the controllers of the host's own root back. It is called before
// anything is made, to come last when the test's groups are gone.
func restoreRoot(t *testing.T) {
	t.Helper()
	root, err := openMount(unified)
	if err != nil {
		t.Fatal(err)
	}
	before, err := root.words("cgroup.subtree_control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer root.close()
		if slices.Contains(before, "hugetlb") {
			return
		}
		if err := root.write("cgroup.subtree_control", "-hugetlb"); err != nil {
			t.Errorf("cannot restore the host's root: %v", err)
		}
	})
}

func TestJoinedOnceForControllersTogether(t *testing.T) {
	tree := Tree{V1: map[string]string{"cpu": "/c/cpu,cpuacct", "cpuacct": "/c/cpu,cpuacct", "memory": "/c/memory", "pids": "/c/memory", "blkio": "/c/blkio"}}
	var got []string
	for _, h := range tree.joined() {
		got = append(got, h.path+"="+strings.Join(h.controllers, "+"))
	}
	if want := []string{"/c/cpu,cpuacct=cpu+cpuacct", "/c/memory=memory+pids", "/c/blkio=blkio"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDelegatedFiles(t *testing.T) {
	g := made(t, New(hybrid()), "one")
	files, err := delegated(g.payload)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	for _, f := range files {
		set[f] = true
	}
	for _, want := range []string{"cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "cpu.pressure", "io.pressure", "memory.pressure"} {
		if !set[want] {
			t.Errorf("%s is missing in %v", want, slices.Sorted(maps.Keys(set)))
		}
	}
	if set["cgroup.pressure"] || set["cgroup.freeze"] {
		t.Errorf("too much: %v", files)
	}
}
