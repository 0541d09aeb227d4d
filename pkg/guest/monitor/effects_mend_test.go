package monitor

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/pkg/guest/console"
)

// TestMain is also what the monitor runs as itself to put views into a guest: of these tests
// there is none in which that may succeed.
func TestMain(m *testing.M) {
	if os.Args[0] == "sysct-helper" {
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestMendIsTriedAgain: that no connection can be made now is said once, and isn't for good.
func TestMendIsTriedAgain(t *testing.T) {
	loop, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	s, err := newSlots()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s.fd)
	dir := t.TempDir()
	dirFD, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dirFD)
	log, err := console.NewLog(dirFD, "log", console.LogOptions{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{loop: loop, log: &logger{log: log}, plan: &Plan{}, core: &Core{}, slots: s, pidfd: pidfd, views: viewServer{dev: -1}}
	defer m.dropViews()
	m.core.Life.Pid = os.Getpid()
	m.plan.Context.Views = []string{"proc/uptime"}
	m.plan.Context.IDs.Base = 1<<32 - 1 // nobody's: the kernel makes no file system for it
	m.mendViews()
	until := func(what string, done func() bool) {
		for late := time.Now().Add(time.Minute); !done(); {
			if time.Now().After(late) {
				t.Fatal("there is no " + what)
			}
			if err := loop.Round(time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	until("attempt", func() bool { return m.views.mended != 0 })
	first := m.views.mended
	until("second attempt", func() bool { return m.views.mended != first })
	m.plan.Context.IDs.Base = 0
	until("connection", func() bool { return m.views.dev >= 0 })
	m.pidfd = -1 // it is in no guest, so it ends, and there is none any more that needs another
	until("end of the work", func() bool { return m.asides == 0 })
	if data, err := os.ReadFile(dir + "/log"); err != nil || strings.Count(string(data), "which is tried again") != 1 {
		t.Errorf("the log has %q, %v", data, err)
	}
}
