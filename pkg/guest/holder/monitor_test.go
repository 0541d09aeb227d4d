package holder

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDelay(t *testing.T) {
	now := time.Now()
	m := &monitor{started: now.Add(-time.Minute)}
	if d := m.delay(now); d != 0 {
		t.Errorf("a death after a minute: %v", d)
	}
	m.started = now
	for i, want := range []time.Duration{0, 0, 0, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if d := m.delay(now); d != want {
			t.Errorf("quick death %d: %v, want %v", i+1, d, want)
		}
	}
	m.quick = 1000
	if d := m.delay(now); d != maxDelay {
		t.Errorf("quick death 1000: %v", d)
	}
	m.started = now.Add(-2 * time.Second)
	if d := m.delay(now); d != 0 || m.quick != 0 {
		t.Errorf("a death after 2 s: %v, count %d", d, m.quick)
	}
}

func TestFinished(t *testing.T) {
	for name, c := range map[string]struct {
		m    monitor
		want bool
	}{
		"killed":                 {monitor{reaped: true, status: 9}, false},
		"crashed":                {monitor{reaped: true, status: 2 << 8}, false},
		"exit 0":                 {monitor{reaped: true, status: 0}, true},
		"announced, then killed": {monitor{reaped: true, status: 9, done: true}, true},
		"unknown":                {monitor{}, false},
		"unknown but announced":  {monitor{done: true}, true},
	} {
		if got := c.m.finished(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestKeep(t *testing.T) {
	fd := func() int {
		fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	m := &monitor{}
	first := fd()
	m.keep("init", first)
	m.keep("init", fd())
	if _, err := unix.FcntlInt(uintptr(first), unix.F_GETFD, 0); err == nil && m.kept[0].FD != first {
		t.Error("a replaced descriptor is still open")
	}
	for i := range maxKept - 1 {
		if !m.keep(string(rune('a'+i)), fd()) {
			t.Fatalf("descriptor %d is refused", i+2)
		}
	}
	if m.keep("more", fd()) {
		t.Error("more than the bound is kept")
	}
	m.drop("init")
	if len(m.kept) != maxKept-1 {
		t.Errorf("%d are kept after a drop", len(m.kept))
	}
	m.dropAll()
	if len(m.kept) != 0 {
		t.Errorf("%d are kept", len(m.kept))
	}
}

func TestExits(t *testing.T) {
	var e exits
	if _, ok := e.get(1); ok {
		t.Error("an empty table knows pid 1")
	}
	for i := range 3 * maxExits {
		e.add(i, unix.WaitStatus(i))
	}
	e.add(3*maxExits-1, 77) // the pid came again
	if st, ok := e.get(3*maxExits - 1); !ok || st != 77 {
		t.Errorf("the newest: %v, %v", st, ok)
	}
	if st, ok := e.get(2*maxExits + 1); !ok || st != unix.WaitStatus(2*maxExits+1) {
		t.Errorf("the oldest: %v, %v", st, ok)
	}
	if _, ok := e.get(2 * maxExits); ok {
		t.Error("more than the bound is remembered")
	}
}

func TestFindV2(t *testing.T) {
	mount, own := findV2(
		"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"+
			"39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"+
			"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n",
		"8:pids:/x\n0::/session/1\n")
	if mount != "/sys/fs/cgroup/unified" || own != "/session/1" {
		t.Errorf("findV2 = %q, %q", mount, own)
	}
}

func TestArgs(t *testing.T) {
	c := Config{RunDir: "/run/sysct", LogDir: "", Base: "sysct-1", Helper: "/usr/lib/sysct/sysct-helper"}
	mode, got, err := parseArgs(c.args(modeServe)[2:])
	if err != nil || mode != modeServe || got != c {
		t.Errorf("parseArgs = %q, %+v, %v", mode, got, err)
	}
	for _, bad := range []Config{{RunDir: "run", Helper: "/h"}, {RunDir: "/run", Helper: "h"}, {RunDir: "/run", Helper: "/h", Base: "a/b"}} {
		if bad.check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
