package nettest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// marker is the variable that tells a test that it is the one inside, and which.
const marker = "SYSCT_NETTEST"

// doneFD is the descriptor on which the test inside says that it has come to its end.
const doneFD = 3

// beginFD is the descriptor whose end tells the test inside to begin.
const beginFD = 4

// Inside tells whether this process is a test's that has a host of its own: a TestMain
// may spare itself work.
func Inside() bool { return os.Getenv(marker) != "" }

// Host runs a test in a host of its own. It has lo, which is up, and no other link; /sys
// is its own, and /etc too, with what the machine has there. All else of the machine,
// control groups, files and processes among it, is there as ever. The calling test is run
// outside and once more inside; Host tells, when all is over, whether this is outside.
func Host(t *testing.T, test func(t *testing.T)) bool {
	t.Helper()
	if os.Getenv(marker) == t.Name() {
		inside(t, test)
		return false
	}
	before := State(t)
	out, err := again(t)
	if err != nil {
		t.Errorf("in a host of its own: %v", err)
	}
	t.Logf("in a host of its own:\n%s", out)
	if d := Difference(before, State(t)); d != "" {
		t.Errorf("the machine's own network has changed:\n%s", d)
	}
	return true
}

// inside furnishes the host and runs the test in it.
func inside(t *testing.T, test func(t *testing.T)) {
	unix.CloseOnExec(doneFD)
	begin := os.NewFile(beginFD, "begin")
	begin.Read(make([]byte, 1))
	begin.Close()
	if err := furnish(); err != nil {
		t.Fatal(err)
	}
	Run(t, "ip", "link", "set", "lo", "up")
	test(t)
	if _, err := unix.Write(doneFD, []byte{1}); err != nil {
		t.Fatal(err)
	}
}

// again runs the program once more for this test alone, and gives what it said.
func again(t *testing.T) ([]byte, error) {
	// The signal of a parent's death is sent at the end of its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A file and not a pipe: a process that is left behind would keep that open.
	out, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	done, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer done.Close()
	hold, begin, err := os.Pipe()
	if err != nil {
		theirs.Close()
		return nil, err
	}
	defer begin.Close()
	cmd := exec.Command("/proc/self/exe", arguments(t)...)
	cmd.Env = append(os.Environ(), marker+"="+t.Name())
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{theirs, hold}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	err = cmd.Start()
	theirs.Close()
	hold.Close()
	if err != nil {
		return nil, err
	}
	spaces, err := openSpaces(cmd.Process.Pid)
	if err != nil {
		cmd.Process.Kill()
	}
	begin.Close() // not before: one that has ended has no namespaces to open
	err = errors.Join(err, cmd.Wait())
	if n, _ := done.Read(make([]byte, 1)); n != 1 && err == nil {
		err = errors.New("the test didn't come to its end, or didn't run")
	}
	err = errors.Join(err, spaces.gone())
	said, readErr := os.ReadFile(out.Name())
	return said, errors.Join(err, readErr)
}

// arguments are those of a test program that runs this test alone, and of its parts those
// that were asked for.
func arguments(t *testing.T) []string {
	var pattern []string
	for _, part := range strings.Split(t.Name(), "/") {
		pattern = append(pattern, "^"+part+"$")
	}
	if asked := strings.Split(flag.Lookup("test.run").Value.String(), "/"); len(asked) > len(pattern) {
		pattern = append(pattern, asked[len(pattern):]...)
	}
	args := []string{"-test.run=" + strings.Join(pattern, "/"), "-test.count=1"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	if deadline, ok := t.Deadline(); ok { // so that it says where it hangs before this one has to
		args = append(args, "-test.timeout="+max(time.Until(deadline)-5*time.Second, time.Second).String())
	}
	return args
}

// spaces are the namespaces of a host, held so that no other gets their numbers.
type spaces []*os.File

// openSpaces opens those of a process that has just been cloned.
func openSpaces(pid int) (spaces, error) {
	var all spaces
	for _, kind := range []string{"net", "mnt"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			return all, err
		}
		all = append(all, f)
	}
	return all, nil
}

// gone waits a quarter of a minute until no process is in them: one that was killed takes a while. Those that are there then are named and killed. It closes the namespaces.
func (s spaces) gone() error {
	var pids []int
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if pids = s.processes(); len(pids) == 0 || time.Now().After(end) {
			break
		}
	}
	var err error
	for _, pid := range pids {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		err = errors.Join(err, fmt.Errorf("process %d was left there: %q", pid, cmdline), unix.Kill(pid, unix.SIGKILL))
	}
	for _, f := range s {
		f.Close()
	}
	return err
}

// processes are those that are in one of the namespaces.
func (s spaces) processes() []int {
	var wanted []uint64
	for _, f := range s {
		var st unix.Stat_t
		if unix.Fstat(int(f.Fd()), &st) == nil {
			wanted = append(wanted, st.Ino)
		}
	}
	return inSpaces(wanted)
}
