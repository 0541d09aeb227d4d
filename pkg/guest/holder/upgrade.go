package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// A holder that is upgraded executes the new program in place: it stays the parent of
// the monitors, the reaper of orphans and the owner of its sockets. What it knows goes
// along as JSON in a memfd, whose number stands in the environment.

// beforeVar is the number of that memfd.
const beforeVar = "SYSCT_HOLDER_STATE"

// before is what the program before this one knew.
type before struct {
	Listen   int
	Notify   int
	Asker    int // who has asked for the upgrade
	Monitors []beforeMonitor
	Exits    []beforeExit // the oldest first
}

type beforeMonitor struct {
	Name   string
	Pid    int // 0: it is dead, and to be started again
	Pidfd  int
	Kept   []fdstore.Stored
	Done   bool
	Hung   bool
	Quick  int
	Death  string
	Reaped bool
	Status int
}

type beforeExit struct{ Pid, Status int }

// answerUpgrade executes the program that comes with the request; an answer is of a
// failure.
func (h *holder) answerUpgrade(p *control.Peer, req *control.Request, fds []int) *control.Response {
	defer control.CloseAll(fds)
	if len(fds) != 1 || !strings.HasPrefix(req.Helper, "/") {
		return failure(control.KindInvalid, "an upgrade takes a program and its path")
	}
	h.finishAdoptions()
	if len(h.adopting) > 0 {
		return failure(control.KindBusy, "a monitor hasn't answered this holder yet")
	}
	h.drainNotify()
	h.reap()
	h.log.printf("another program takes over in this process")
	err := h.execute(fds[0], h.toBefore(p), req.Helper)
	h.log.printf("no upgrade: %v", err)
	return failure(control.KindFailed, "%v", err)
}

func (h *holder) toBefore(asker *control.Peer) *before {
	b := &before{Listen: h.listen, Notify: h.notify, Asker: asker.FD()}
	for _, m := range h.monitors {
		b.Monitors = append(b.Monitors, beforeMonitor{Name: m.name, Pid: m.pid, Pidfd: m.pidfd, Kept: m.kept, Done: m.done,
			Hung: m.hung, Quick: m.quick, Death: m.death, Reaped: m.reaped, Status: int(m.status)})
	}
	for i := range h.exits.list {
		x := h.exits.list[(h.exits.next+i)%len(h.exits.list)]
		b.Exits = append(b.Exits, beforeExit{x.pid, int(x.status)})
	}
	return b
}

// fds are all descriptors that go along.
func (b *before) fds() []int {
	fds := []int{b.Listen, b.Notify, b.Asker}
	for _, m := range b.Monitors {
		if m.Pidfd >= 0 {
			fds = append(fds, m.Pidfd)
		}
		for _, s := range m.Kept {
			fds = append(fds, s.FD)
		}
	}
	return fds
}

// execute returns only if it fails.
func (h *holder) execute(program int, b *before, helper string) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	memfd, err := unix.MemfdCreate("sysct-holder", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(memfd)
	if _, err := unix.Write(memfd, data); err != nil {
		return os.NewSyscallError("write", err)
	}
	fds := append(b.fds(), memfd)
	inherit(fds, 0)
	defer inherit(fds, unix.FD_CLOEXEC)
	c := h.conf
	c.Helper = helper
	env := append(environment(), beforeVar+"="+strconv.Itoa(memfd))
	return os.NewSyscallError("execve", syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", program), c.args(modeServe), env))
}

func inherit(fds []int, flags int) {
	for _, fd := range fds {
		unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	}
}

// readBefore reads what the program before this one left; nil: there was none.
func readBefore() (*before, error) {
	n, err := strconv.Atoi(os.Getenv(beforeVar))
	os.Unsetenv(beforeVar)
	if err != nil {
		return nil, nil
	}
	f := os.NewFile(uintptr(n), "state")
	defer f.Close()
	var b before
	if _, err = f.Seek(0, 0); err == nil {
		err = json.NewDecoder(f).Decode(&b)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what the holder before knew: %w", err)
	}
	return &b, nil
}

// resume goes on with it, and answers who asked for the upgrade.
func (h *holder) resume(b *before) {
	for _, x := range b.Exits {
		h.exits.add(x.Pid, unix.WaitStatus(x.Status))
	}
	for _, o := range b.Monitors {
		m := &monitor{name: o.Name, helper: h.conf.Helper, pid: o.Pid, pidfd: o.Pidfd, kept: o.Kept, done: o.Done, hung: o.Hung,
			quick: o.Quick, death: o.Death, reaped: o.Reaped, status: unix.WaitStatus(o.Status), started: time.Now()}
		h.monitors[m.name] = m
		if m.pidfd < 0 {
			m.again = time.Now()
		} else if err := h.watch(m); err != nil {
			h.log.printf("%v", err)
		}
	}
	h.reap()
	h.log.printf("upgraded to version %s: it keeps %d monitors", h.version, len(h.monitors))
	p := control.Resume(b.Asker, h.version)
	if err := p.Reply(&control.Response{Pid: os.Getpid()}); err != nil && !errors.Is(err, unix.EPIPE) {
		h.log.printf("%v", err)
	}
	p.Close()
}
