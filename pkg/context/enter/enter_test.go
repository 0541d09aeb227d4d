package enter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/context/caps"
	"golang.org/x/sys/unix"
)

func TestNamespacesAreThoseThatNsenterJoins(t *testing.T) {
	g := newGuest(t)
	const script = "readlink /proc/self/ns/*; hostname; cat /srv/inside; cat /proc/self/cgroup | sed 's/[^/]*//' | sort -u"
	got, want := g.shell(script), g.nsenter(script)
	// nsenter stays in the cgroups of its caller.
	got, want = got[:strings.Index(got, "yes")], want[:strings.Index(want, "yes")]
	if got != want || strings.Count(got, "\n") != 11 {
		t.Errorf("entered:\n%s\nnsenter:\n%s", got, want)
	}
	for _, n := range namespaces {
		host, err := os.Readlink("/proc/self/ns/" + n.name)
		must(t, err)
		if strings.Contains(got, host) {
			t.Errorf("the %s namespace is the host's", n.name)
		}
	}
}

func TestNamespacesLeavesOutWhatIsShared(t *testing.T) {
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	must(t, err)
	defer unix.Close(self)
	if flags, err := Namespaces(self); flags != 0 || err != nil {
		t.Errorf("of this process: %#x, %v", flags, err)
	}
	g := newGuest(t)
	flags, err := Namespaces(g.target.PidFD)
	must(t, err)
	want := unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS |
		unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME
	if flags != want {
		t.Errorf("of the guest: %#x, want %#x", flags, want)
	}
	g.target.Flags = flags &^ unix.CLONE_NEWNET
	host, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	if got := g.shell("readlink /proc/self/ns/net"); strings.TrimSpace(got) != host {
		t.Errorf("the network namespace is %s, not the host's %s", got, host)
	}
}

func TestRootHasTheKeptCapabilities(t *testing.T) {
	g := newGuest(t)
	status, _ := g.output(&Process{Args: []string{"cat", "/proc/self/status"}, Groups: []uint32{0, 5}})
	last := caps.Kept(caps.Last())
	kept := fmt.Sprintf("%016x", uint64(last))
	for name, want := range map[string]string{
		"Uid": "0 0 0 0", "Gid": "0 0 0 0", "Groups": "0 5",
		"CapInh": "0000000000000000", "CapPrm": kept, "CapEff": kept, "CapBnd": kept, "CapAmb": "0000000000000000",
		"NoNewPrivs": "0", "Seccomp": "2", "Seccomp_filters": "1",
		"SigBlk": "0000000000000000", "SigIgn": "0000000000000000", "SigCgt": "0000000000000000",
	} {
		if got := field(status, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// CVE-2018-10856, 2022-24769, 2022-27650.
func TestOthersHaveNoCapabilities(t *testing.T) {
	g := newGuest(t)
	status, _ := g.output(&Process{Args: []string{"cat", "/proc/self/status"}, UID: 1000, GID: 1001, Groups: []uint32{1001, 44}})
	kept := fmt.Sprintf("%016x", uint64(caps.Kept(caps.Last())))
	for name, want := range map[string]string{
		"Uid": "1000 1000 1000 1000", "Gid": "1001 1001 1001 1001", "Groups": "44 1001",
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": kept, "CapAmb": "0000000000000000", "NoNewPrivs": "0", "Seccomp": "2",
	} {
		if got := field(status, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if out, _ := g.output(&Process{Args: []string{"id", "-G"}}); out != "0\n" {
		t.Errorf("without groups there are %q", out)
	}
}

func TestSignalsLimitsAndUmaskAreFresh(t *testing.T) {
	signal.Ignore(unix.SIGUSR1, unix.SIGHUP)
	defer signal.Reset(unix.SIGUSR1, unix.SIGHUP)
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	defer unix.Umask(unix.Umask(0o077))
	g := newGuest(t)
	if got := field(g.shell("cat /proc/self/status"), "SigIgn"); got != "0000000000000000" {
		t.Errorf("ignored signals: %s", got)
	}
	for _, c := range []struct {
		soft uint64
		want string
	}{{limit.Max - 1, "1024\n0022\n"}, {500, "500\n0022\n"}, {limit.Max, fmt.Sprintf("%d\n0022\n", limit.Max)}} {
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: c.soft, Max: limit.Max}))
		if got := g.shell("ulimit -n; umask"); got != c.want {
			t.Errorf("with a soft limit of %d: %q, want %q", c.soft, got, c.want)
		}
	}
}

// A guest's own limits come before the caller's, and the soft one of files stays what it is.
func TestLimitsOfTheGuest(t *testing.T) {
	g := newGuest(t)
	g.target.Rlimits = []Rlimit{{unix.RLIMIT_NOFILE, 4095, 4096}, {unix.RLIMIT_CORE, 0, 0}}
	g.target.OOMScoreAdj = 321
	if got, want := g.shell("ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj"), "4095\n4096\n0\n321\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// CVE-2016-9962.
func TestThreeDescriptorsAndASessionOfItsOwn(t *testing.T) {
	// One that isn't close-on-exec, as a careless library may leave it.
	leak, err := unix.Open("/etc", unix.O_PATH, 0)
	must(t, err)
	defer unix.Close(leak)
	g := newGuest(t)
	r, _ := makePipe(t)
	n := null(t)
	c := g.start(&Process{Args: []string{"/bin/cat"}, Files: [3]int{int(r.Fd()), n, n}})
	// The dynamic linker has a library open for a moment.
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Pid))
		must(t, err)
		if len(entries) == 3 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the program has descriptors %v", entries)
		}
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Pid))
	must(t, err)
	ids := strings.Fields(field(string(data), "NSpid"))
	session := strings.Fields(field(string(data), "NSsid"))
	if len(ids) != 2 || !slices.Equal(ids, session) || field(string(data), "PPid") != fmt.Sprint(os.Getpid()) {
		t.Errorf("pid %v, session %v", ids, session)
	}
}

func TestCgroups(t *testing.T) {
	g := newGuest(t)
	r, _ := makePipe(t)
	n := null(t)
	c := g.start(&Process{Args: []string{"/bin/cat"}, Files: [3]int{int(r.Fd()), n, n}})
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid))
	must(t, err)
	wanted := []string{"0::/" + g.group + "/payload/.sysct\n"}
	for _, root := range v1Roots {
		wanted = append(wanted, ":"+filepath.Base(root)+":/"+g.group+"\n")
	}
	for _, want := range wanted {
		if !strings.Contains(string(data), want) {
			t.Errorf("%q is not among\n%s", want, data)
		}
	}
	if inside := g.shell("cat /proc/self/cgroup"); !strings.Contains(inside, "0::/.sysct\n") || strings.Contains(inside, g.group) {
		t.Errorf("the guest sees %s", inside)
	}
}

func TestExitStatuses(t *testing.T) {
	g := newGuest(t)
	for _, code := range []int{0, 1, 2, 3, 63, 64, 125, 126, 127, 128, 129, 254, 255} {
		_, status := g.output(&Process{Args: []string{"sh", "-c", fmt.Sprintf("exit %d", code)}})
		if !status.Exited() || status.ExitStatus() != code {
			t.Errorf("exit %d is %#x", code, int(status))
		}
	}
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGKILL, unix.SIGTERM, unix.SIGSEGV, unix.SIGUSR1, 34, 64} {
		_, status := g.output(&Process{Args: []string{"sh", "-c", fmt.Sprintf("kill -%d $$; sleep 100", sig)}})
		if !status.Signaled() || status.Signal() != sig {
			t.Errorf("signal %d is %#x", sig, int(status))
		}
	}
}

func TestSignalReachesTheProgram(t *testing.T) {
	g := newGuest(t)
	r, w := makePipe(t)
	out, outWriter := makePipe(t)
	c := g.start(&Process{
		Args:  []string{"/bin/sh", "-c", "trap 'exit 42' TERM; echo set; while read x; do :; done"},
		Files: [3]int{int(r.Fd()), int(outWriter.Fd()), int(outWriter.Fd())},
	})
	must(t, readLine(out, "set"))
	must(t, c.Signal(unix.SIGTERM))
	w.Close() // dash looks at its traps when read returns
	status, err := c.Wait()
	if err != nil || status.ExitStatus() != 42 {
		t.Errorf("status %#x, %v", int(status), err)
	}
	if err := c.Signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to a reaped program: %v", err)
	}
	if again, err := c.Wait(); again != status || err != nil {
		t.Errorf("a second Wait: %#x, %v", int(again), err)
	}
}

func readLine(r *os.File, want string) error {
	buf := make([]byte, len(want)+1)
	if _, err := io.ReadFull(r, buf); err != nil || string(buf) != want+"\n" {
		return fmt.Errorf("%q instead of %q: %w", buf, want, err)
	}
	return nil
}

func TestPipesCarryAnything(t *testing.T) {
	g := newGuest(t)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	in, inWriter := makePipe(t)
	out, outWriter := makePipe(t)
	c := g.start(&Process{Args: []string{"/bin/cat"}, Files: [3]int{int(in.Fd()), int(outWriter.Fd()), null(t)}})
	outWriter.Close()
	in.Close()
	go func() {
		_, _ = inWriter.Write(data)
		inWriter.Close()
	}()
	var got bytes.Buffer
	_, err := got.ReadFrom(out)
	must(t, err)
	if status, err := c.Wait(); status != 0 || err != nil {
		t.Errorf("status %#x, %v", int(status), err)
	}
	if !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes came back changed", got.Len())
	}
}
