package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/limits"
)

// viewGuest is a guest with readers in it.
type viewGuest struct {
	*guest
	seen readings
}

// progress waits until each reader has read some more, and says what has failed since.
func (g *viewGuest) progress() (failed readings) {
	g.t.Helper()
	before := g.seen
	g.until("all to read on", func() error {
		var r readings
		if err := json.Unmarshal([]byte(g.file("readings")), &r); err != nil {
			return err
		}
		for i := range r.Reads {
			if r.Reads[i] < before.Reads[i]+5 {
				return fmt.Errorf("reader %d has read %d times, before %d; %d have failed: %s", i, r.Reads[i], before.Reads[i], r.Failed, r.Why)
			}
		}
		if r.Times < before.Times+5 {
			return fmt.Errorf("the times of CPUs were read %d times, before %d; %d have failed: %s", r.Times, before.Times, r.Failed, r.Why)
		}
		if r.Sysinfo < before.Sysinfo+5 {
			return fmt.Errorf("sysinfo(2) was answered %d times, before %d; %d have failed: %s", r.Sysinfo, before.Sysinfo, r.Failed, r.Why)
		}
		g.seen = r
		return nil
	})
	return readings{Aborted: g.seen.Aborted - before.Aborted, Failed: g.seen.Failed - before.Failed, Why: g.seen.Why}
}

// unharmed says that they go on after something has happened, and no read has failed.
func (g *viewGuest) unharmed(what string) {
	g.t.Helper()
	if f := g.progress(); f.Failed > 0 || f.Aborted > 0 {
		g.t.Errorf("%s: %d reads failed, %d were cut off: %s", what, f.Failed, f.Aborted, f.Why)
	}
}

// TestViewsNeverBreak: eight readers notice nothing of what becomes of the monitor that
// serves them.
func TestViewsNeverBreak(t *testing.T) {
	once := t.TempDir() + "/once"
	t.Setenv("SYSCT_FAILPOINT", "kill:answer view")
	t.Setenv("SYSCT_FAILPOINT_ONCE", once)
	helper := buildFailing(t)
	w := failing(t, helper)
	g := &viewGuest{guest: w.guest("web", `trap 'poweroff -f' USR2
toggle() {
	busybox umount /sys/devices/system 2> /dev/null && return
	mount -t tmpfs none /sys/devices/system
	busybox ln -s /tmp /sys/devices/system/cpu
}
trap toggle USR1
/sbin/reader views /proc/meminfo &
cd /
unshare -U -r -m cat /proc/meminfo > /inner 2>&1
unshare -U -r -m -p -f --mount-proc cat /proc/1/comm > /nested 2>&1
cat /proc/meminfo > /from-here
while :; do
	cat /sys/devices/system/cpu/online > /online.new 2>&1
	busybox mv /online.new /online
	sleep 0.05
done
`)}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, exe, w.top+"/web/rootfs/sbin/reader")
	os.Symlink("busybox", w.top+"/web/rootfs/bin/unshare")
	g.plan.Context.Views = []string{"sys/devices/system/cpu", "proc/meminfo", "proc/stat", "proc/uptime"}
	g.plan.Context.Sysinfo = true
	memory := int64(viewMemory)
	g.plan.Limits = limits.Limits{Memory: &memory}
	machine := machineTime(t)
	g.start()
	g.unharmed("the start")
	g.until("the nested namespaces", func() error { return want(g.file("nested"), "cat\n") })
	if s := g.file("inner"); !strings.HasPrefix(s, "MemTotal:") {
		t.Errorf("in a nested namespace it reads %q", s)
	}
	g.killedByTurns(once)
	g.noneHung(machine())
	g.untouched(helper)
	g.cutOff()
	g.stop()
}

// killedByTurns kills the monitor: at random, and between a request's receipt and its
// answer.
func (g *viewGuest) killedByTurns(once string) {
	seed := uint64(time.Now().UnixNano())
	g.t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
		g.killMonitor()
		g.unharmed("a kill")
	}
	for range 3 {
		if err := os.WriteFile(once, nil, 0o600); err != nil {
			g.t.Fatal(err)
		}
		g.until("a kill with a request in hand", func() error {
			if _, err := os.Lstat(once); !errors.Is(err, os.ErrNotExist) {
				return errors.New("none came")
			}
			return nil
		})
		g.unharmed("a kill with a request in hand")
	}
}

// noneHung says that all reads and all answers of sysinfo(2) up to now came within two
// seconds, of which the holder waits for one before it replaces monitors that die again and
// again. A successor is two processes that follow each other: what the control took, of a
// single one at the same time, is the machine's doing, twice. It is to be asked before a
// monitor or the guest is stopped on purpose.
func (g *viewGuest) noneHung(machine time.Duration) {
	g.t.Helper()
	most := 2*time.Second + 2*machine
	long := g.seen.Longest
	g.t.Logf("%s took %v at most; a program of the host that reads a file of the kernel %v", long.What, long.Time, machine)
	if long.Time == 0 || machine == 0 || long.Time > most {
		g.t.Errorf("%s took %v, %v at most are wanted", long.What, long.Time, most)
	}
}

// machineTime runs a program on the host, again and again, that reads a file of the kernel in
// which no monitor has a part, until it is asked for the longest that it took. A read that
// outlives its monitor waits for just that: a Go program of this size that is executed
// anew. Where the machine stands still, or has no CPU to give, the control takes as long.
func machineTime(t *testing.T) (longest func() time.Duration) {
	const rest = 20 * time.Millisecond
	ended, most := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		var long time.Duration
		for last := time.Now(); ; {
			select {
			case <-t.Context().Done():
				return
			case <-ended:
				most <- long
				return
			case <-time.After(rest):
			}
			if err := exec.Command("/proc/self/exe", "plain").Run(); err != nil {
				most <- 0 // which no control takes
				return
			}
			now := time.Now()
			long, last = max(long, now.Sub(last)-rest), now
		}
	}()
	return func() time.Duration { close(ended); return <-most }
}

// plain is what the control runs.
func plain() int {
	if text, err := os.ReadFile("/proc/version"); err != nil || len(text) == 0 {
		return 1
	}
	return 0
}

// untouched does to the monitor what isn't its death, and freezes the guest.
func (g *viewGuest) untouched(helper string) {
	for range 2 {
		if _, err := g.upgrade(helper, time.Minute); err != nil {
			g.t.Fatal(err)
		}
		g.unharmed("an upgrade")
	}
	pid := g.status().MonitorPid
	proctest.Stop(g.t, pid)
	time.Sleep(200 * time.Millisecond) // for all to wait for it
	kill(g.t, pid, unix.SIGCONT)
	g.unharmed("a stopped monitor")
	for range 5 {
		g.must(control.Request{Op: control.OpFreeze})
		g.must(control.Request{Op: control.OpThaw})
		g.unharmed("a freeze")
	}
	proctest.Stop(g.t, pid)
	time.Sleep(200 * time.Millisecond)
	kill(g.t, pid, unix.SIGKILL)
	g.unharmed("a kill of a stopped monitor")
}

// cutOff ends the connection, on the host and in the guest: it is mounted anew. One of the
// places is out of reach meanwhile.
func (g *viewGuest) cutOff() {
	online := g.file("online")
	g.toggled("No such file")
	g.abort()
	for before, f := g.seen, (readings{}); g.seen.Aborted == before.Aborted || f.Aborted > 0; { // also of files that were open
		if f = g.progress(); f.Failed > 0 {
			g.t.Fatalf("after an abort %d reads failed in another way than by it: %s", f.Failed, f.Why)
		}
	}
	g.unharmed("what was mounted anew")
	g.notKept()
	g.killMonitor()
	g.unharmed("a kill of the one that mounted anew")
	g.toggled(online) // what was put in its place later
}

// toggled has the guest hide a place of the views, or show it again, and waits until it reads
// the list of its CPUs so.
func (g *viewGuest) toggled(online string) {
	g.t.Helper()
	kill(g.t, g.status().Pid, unix.SIGUSR1)
	g.until("the list of CPUs", func() error {
		if got := g.file("online"); !strings.Contains(got, online) {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}

// notKept: the holder has no file of the views, of which systemd in its place would ask the
// monitor something, or itself.
func (g *viewGuest) notKept() {
	t := g.t
	t.Helper()
	device, kept := g.device(), 0
	dir := fmt.Sprintf("/proc/%d/fd", g.holderPid())
	fds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, filepath.Join(dir, fd.Name()), unix.AT_STATX_DONT_SYNC, 0, &st) != nil {
			continue // it has been dropped
		}
		kept++
		if st.Dev_major == 0 && st.Dev_minor == device {
			t.Errorf("the holder has descriptor %s, a file of the views", fd.Name())
		}
	}
	if kept < 10 {
		t.Errorf("the holder has only %d descriptors", kept)
	}
}

// device is the number of the views' file system, as it is at /proc/meminfo.
func (g *viewGuest) device() (minor uint32) {
	t := g.t
	t.Helper()
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", g.status().Pid))
	if err != nil {
		t.Fatal(err)
	}
	var major uint32
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); f[4] == "/proc/meminfo" {
			fmt.Sscanf(f[2], "%d:%d", &major, &minor)
		}
	}
	return minor
}

// abort ends the connection of the guest's views by the kernel's own file for it.
func (g *viewGuest) abort() {
	t := g.t
	t.Helper()
	minor := g.device()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "fusectl", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, 0)
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(minor), "abort"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
}
