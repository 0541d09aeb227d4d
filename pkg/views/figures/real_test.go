package figures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/views"
)

const mounts = "/sys/fs/cgroup"

// group makes groups on this host, of whichever version it has.
func group(t testing.TB, l limits.Limits) limits.Group {
	t.Helper()
	tree := cgroupfs.Tree{V2: mounts}
	if _, err := os.Stat(mounts + "/cgroup.controllers"); err != nil {
		tree = cgroupfs.Tree{V2: mounts + "/unified", V1: map[string]string{}}
		for _, c := range []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio"} {
			tree.V1[c] = mounts + "/" + c
		}
	}
	backend := cgroupfs.New(tree)
	base, name := fmt.Sprintf("sysct-figures-%d", os.Getpid()), strings.ToLower(t.Name())
	g, err := backend.Make(base, name, l, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
		g.Close()
	})
	return g
}

// in starts a shell in the groups, and returns when it says that it is ready.
func in(t testing.TB, g limits.Group, script string) {
	t.Helper()
	var join strings.Builder
	var files []*os.File
	for i, fd := range g.JoinFDs() {
		dup, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(dup), "tasks"))
		fmt.Fprintf(&join, "echo 0 >&%d; ", 3+i)
	}
	cmd := exec.Command("sh", "-ec", join.String()+script)
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: g.PayloadFD()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
	})
	for _, f := range files {
		f.Close()
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c Config) *Source {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestThisHost has a limited group with a busy process and one that sleeps.
func TestThisHost(t *testing.T) {
	memory, pids := int64(256<<20), int64(50)
	g := group(t, limits.Limits{Memory: &memory, Pids: &pids, CPUQuota: &limits.CPUQuota{Quota: 10000, Period: 100000}})
	in(t, g, "sleep 600 & (while :; do :; done) & echo ready; wait")
	began := Now()
	c := Config{Groups: g.Dirs(), Offset: -began}
	s := open(t, c)
	deadline := began + time.Minute
	for s.Snapshot(views.NeedTimes, Now()).Times.Total.Steal < 100*time.Millisecond {
		if Now() > deadline {
			t.Fatalf("no time was stolen: %+v, %+v", s.shot.Times, s.times.use)
		}
		time.Sleep(20 * time.Millisecond)
	}
	// With a tenth of a CPU it takes a slow machine seconds to begin to sleep.
	settled(t, views.Tasks{Running: 1, Total: 3}, func() views.Tasks {
		tasks := s.Snapshot(views.NeedTasks, Now()).Tasks
		tasks.LastPID = 0
		return tasks
	})
	shot := s.Snapshot(^views.Need(0), Now())
	if shot.Memory.Total != 256<<20 || shot.Memory.Free == 0 || shot.Memory.Free >= shot.Memory.Total {
		t.Errorf("memory %+v", shot.Memory)
	}
	if len(shot.CPUs) != 1 || len(shot.CPUInfo) != 1 || !bytes.HasPrefix(views.CPUInfo(nil, shot), []byte("processor\t: 0\n")) {
		t.Errorf("CPUs %v, %q", shot.CPUs, shot.CPUInfo)
	}
	if shot.Tasks.Total != 3 || shot.Tasks.Running != 1 || shot.Tasks.Blocked != 0 {
		t.Errorf("tasks %+v", shot.Tasks)
	}
	// The counters are read a little later than the clock: what the group ran in between is ahead of it, until the next time.
	settled(t, true, func() bool {
		shot = s.Snapshot(views.NeedTimes, Now())
		sum := shot.Times.Total
		return sum.User+sum.Nice+sum.System+sum.Idle+sum.Steal == shot.Uptime && sum.User >= 20*time.Millisecond
	})
	successor(t, s, c)
	load(t, s)
}

// successor has no counter begin anew.
func successor(t *testing.T, s *Source, c Config) {
	before := s.Snapshot(^views.Need(0), Now())
	text, err := json.Marshal(s.State())
	if err != nil {
		t.Fatal(err)
	}
	c.State = &State{}
	if err := json.Unmarshal(text, c.State); err != nil {
		t.Fatal(err)
	}
	after := open(t, c).Snapshot(^views.Need(0), Now())
	a, b := before.Times.Total, after.Times.Total
	if b.User < a.User || b.Idle < a.Idle || b.Steal < a.Steal || before.BootTime != after.BootTime {
		t.Errorf("%+v, then %+v", before, after)
	}
}

// load counts the busy process, in the averages of minutes that are yet to come.
func load(t *testing.T, s *Source) {
	if _, wanted := s.NextTick(); !wanted {
		t.Error("the load has a reader, and wants no tick")
	}
	for range 24 {
		at, _ := s.NextTick()
		s.Tick(at)
	}
	shot := s.Snapshot(views.NeedLoad, s.state.Load.At-s.config.Offset)
	if text := string(views.Loadavg(nil, shot)); !strings.HasPrefix(text, "0.8") || !strings.Contains(text, " 1/3 ") {
		t.Errorf("load %q", text)
	}
	for range 100 {
		at, _ := s.NextTick()
		s.Tick(at)
	}
	if at, wanted := s.NextTick(); wanted {
		t.Errorf("nobody reads, and a tick is wanted at %v", at)
	}
}

// TestBothCountTasksAlike holds the kernel's count against ours.
func TestBothCountTasksAlike(t *testing.T) {
	g := group(t, limits.Limits{})
	in(t, g, "sleep 600 & sleep 600 & (while :; do :; done) & (while :; do :; done) & echo ready; wait")
	s := open(t, Config{Groups: g.Dirs()})
	want := views.Tasks{Running: 2, Total: 5}
	settled(t, want, func() views.Tasks {
		w := walk{source: s}
		w.group(s.tasks.top, 0)
		return w.states()
	})
	if s.tasks.stats != nil { // the kernel doesn't count those of version 2
		settled(t, views.Tasks{Running: 2}, func() views.Tasks { c, _ := s.tasks.stats.read(); return c })
	}
}

// settled waits until what is counted is what is wanted: tasks that were just started have come to rest.
func settled[T comparable](t *testing.T, want T, count func() T) {
	t.Helper()
	for deadline := Now() + time.Minute; ; time.Sleep(10 * time.Millisecond) {
		got := count()
		if got == want {
			return
		}
		if Now() > deadline {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

func BenchmarkMeminfo(b *testing.B) {
	s := open(b, Config{Groups: group(b, limits.Limits{}).Dirs()})
	text := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		text = views.Meminfo(text[:0], s.Snapshot(views.NeedMemory, Now()))
	}
}

func BenchmarkStat(b *testing.B) {
	s := open(b, Config{Groups: group(b, limits.Limits{}).Dirs()})
	text := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		text = views.Stat(text[:0], s.Snapshot(views.NeedTimes, Now()))
	}
}

func BenchmarkCountTasks(b *testing.B) {
	g := group(b, limits.Limits{})
	in(b, g, "for i in $(seq 50); do sleep 600 & done; echo ready; wait")
	s := open(b, Config{Groups: g.Dirs()})
	b.Run("kernel", func(b *testing.B) {
		for b.Loop() && s.tasks.stats != nil {
			s.tasks.stats.read()
		}
	})
	b.Run("looking", func(b *testing.B) {
		for b.Loop() {
			w := walk{source: s}
			w.group(s.tasks.top, 0)
			w.states()
		}
	})
}
