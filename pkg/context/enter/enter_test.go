package enter

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Pid))
	must(t, err)
	if len(entries) != 3 {
		t.Errorf("the program has descriptors %v", entries)
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
	for _, want := range []string{"0::/" + g.group + "/payload/.sysct\n", ":pids:/" + g.group + "\n", ":memory:/" + g.group + "\n"} {
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
	if _, err := r.Read(buf); err != nil || string(buf) != want+"\n" {
		return fmt.Errorf("%q instead of %q: %w", buf, want, err)
	}
	return nil
}

func TestErrors(t *testing.T) {
	g := newGuest(t)
	g.shell(`echo "echo no interpreter" > /srv/text; chmod 755 /srv/text; echo x > /srv/plain; mkdir -m 700 /srv/private /srv/dir
		printf '#!/nowhere\n' > /srv/script; chmod 755 /srv/script; ln -s loop /srv/loop`)
	for _, c := range []struct {
		name   string
		p      Process
		step   step
		errno  unix.Errno
		status int
	}{
		{"not on PATH", Process{Args: []string{"no-such-command"}}, stepExecute, unix.ENOENT, 127},
		{"no such file", Process{Args: []string{"/no/such"}}, stepExecute, unix.ENOENT, 127},
		{"below a file", Process{Args: []string{"/srv/plain/x"}}, stepExecute, unix.ENOENT, 127},
		{"interpreter missing", Process{Args: []string{"/srv/script"}}, stepExecute, unix.ENOENT, 127},
		{"not executable", Process{Args: []string{"/srv/plain"}}, stepExecute, unix.EACCES, 126},
		{"not executable on PATH", Process{Args: []string{"plain"}, Env: []string{"PATH=/bin:/srv:/usr/bin"}}, stepExecute, unix.EACCES, 126},
		{"a directory", Process{Args: []string{"/srv/dir"}}, stepExecute, unix.EACCES, 126},
		{"no program", Process{Args: []string{"/srv/text"}}, stepExecute, unix.ENOEXEC, 126},
		{"a loop", Process{Args: []string{"/srv/loop"}}, stepExecute, unix.ELOOP, 126},
		{"PATH empty", Process{Args: []string{"true"}, Env: []string{"PATH="}}, stepExecute, unix.ENOENT, 127},
		{"PATH relative", Process{Args: []string{"true"}, Dir: "/usr", Env: []string{"PATH=bin:./bin"}}, stepExecute, unix.ENOENT, 127},
		{"no directory", Process{Args: []string{"true"}, Dir: "/no/such"}, stepDirectory, unix.ENOENT, 125},
		{"another's directory", Process{Args: []string{"true"}, Dir: "/srv/private", UID: 1000, GID: 1000}, stepDirectory, unix.EACCES, 125},
		{"id that isn't mapped", Process{Args: []string{"true"}, UID: 70000}, stepUID, unix.EINVAL, 125},
		{"group that isn't mapped", Process{Args: []string{"true"}, Groups: []uint32{70000}}, stepGroups, unix.EINVAL, 125},
		{"terminal that is none", Process{Args: []string{"true"}, TTY: true}, stepTerminal, unix.ENOTTY, 125},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := null(t)
			c.p.Files = [3]int{n, n, n}
			_, err := g.try(&c.p)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			if e.Step != stepNames[c.step] || e.Errno != c.errno || e.ExitStatus() != c.status {
				t.Errorf("%v: status %d; want %q, %v, %d", err, e.ExitStatus(), stepNames[c.step], c.errno, c.status)
			}
		})
	}
	n := null(t)
	for _, p := range []Process{{}, {Args: []string{""}}, {Args: []string{"true"}, UID: noID}, {Args: []string{"true"}, GID: noID}, {Args: []string{"a\x00b"}}, {Args: []string{"true"}, Dir: "\x00"}} {
		p.Files = [3]int{n, n, n}
		if _, err := g.try(&p); err == nil {
			t.Errorf("no error for %+v", p)
		}
	}
	if left := children(t); len(left) != 1 {
		t.Errorf("children left: %v", left)
	}
}

func TestSearchPath(t *testing.T) {
	g := newGuest(t)
	g.shell(`mkdir /srv/a /srv/b; printf '#!/bin/sh\necho a\n' > /srv/a/which-one; sed s/a$/b/ /srv/a/which-one > /srv/b/which-one; chmod 755 /srv/?/which-one`)
	for path, want := range map[string]string{"/srv/a:/srv/b": "a\n", "/srv/b:/srv/a": "b\n", "/none::relative:/srv/b/": "b\n"} {
		out, _ := g.output(&Process{Args: []string{"which-one"}, Env: []string{"PATH=" + path}})
		if out != want {
			t.Errorf("with PATH=%s: %q, want %q", path, out, want)
		}
	}
	out, status := g.output(&Process{Args: []string{"env"}, Env: []string{"A=1", "B=two words"}})
	if out != "A=1\nB=two words\n" || status != 0 {
		t.Errorf("the environment is %q", out)
	}
	if out, _ := g.output(&Process{Args: []string{"./which-one"}, Dir: "/srv/b"}); out != "b\n" {
		t.Errorf("in the working directory: %q", out)
	}
	if out, _ := g.output(&Process{Args: []string{"pwd"}}); out != "/\n" {
		t.Errorf("without a directory: %q", out)
	}
}

// CVE-2024-21626.
func TestDirectoryOutsideTheGuestIsRefused(t *testing.T) {
	g := newGuest(t)
	dir, err := os.Open(filepath.Clean("/var"))
	must(t, err)
	defer dir.Close()
	n := null(t)
	for fd := range 16 {
		p := Process{Args: []string{"true"}, Dir: fmt.Sprintf("/proc/self/fd/%d", fd), Files: [3]int{int(dir.Fd()), n, n}}
		_, err := g.try(&p)
		var e *Error
		if !errors.As(err, &e) || e.ExitStatus() != 125 {
			t.Errorf("descriptor %d: %v", fd, err)
		}
		if fd == 0 && !errors.Is(err, unix.EXDEV) {
			t.Errorf("a directory that was handed in: %v", err)
		}
	}
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

func TestAFrozenGuestEndsInTimeout(t *testing.T) {
	g := newGuest(t)
	freeze := filepath.Join(v2Root, g.group, "payload", ".sysct", "cgroup.freeze")
	must(t, os.WriteFile(freeze, []byte("1"), 0))
	n := null(t)
	_, err := g.try(&Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}, Timeout: 1})
	if !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("error is %v", err)
	}
	// removeGroup shows that the child was killed.
}

func TestADeadGuestCannotBeEntered(t *testing.T) {
	g := newGuest(t)
	must(t, unix.PidfdSendSignal(g.target.PidFD, unix.SIGKILL, nil, 0))
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(g.target.PidFD), Events: unix.POLLIN}}, -1)
	must(t, err)
	n := null(t)
	p := &Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}}
	for _, flags := range []int{0, unix.CLONE_NEWUSER | unix.CLONE_NEWPID} {
		g.target.Flags = flags
		if _, err := g.try(p); err == nil {
			t.Errorf("no error with flags %#x", flags)
		}
	}
	if _, err := GuestRoot(g.target.PidFD); err == nil {
		t.Error("its root could be opened")
	}
}
