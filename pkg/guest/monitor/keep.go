package monitor

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// reviveRetry is the pause between tries to start a new manager.
const reviveRetry = 5 * time.Second

// keep leaves a descriptor with the service manager, in place of one that was
// left under the same name.
func (m *monitor) keep(name string, fd int) {
	m.drop(name)
	m.inherit(name, fd)
	if m.store == nil {
		return
	}
	if err := m.store.Put(name, fd); err != nil {
		m.log.say(err.Error())
	}
}

// inherit notes a descriptor that the service manager has already.
func (m *monitor) inherit(name string, fd int) {
	m.kept = append(m.kept, fdstore.Stored{Name: name, FD: fd})
}

// drop takes a descriptor back. It isn't closed here.
func (m *monitor) drop(name string) {
	n := len(m.kept)
	m.kept = slices.DeleteFunc(m.kept, func(s fdstore.Stored) bool { return s.Name == name })
	if m.store == nil || len(m.kept) == n {
		return
	}
	if err := m.store.Remove(name); err != nil {
		m.log.say(err.Error())
	}
}

// barrierTimeout bounds the wait for a manager that doesn't read.
const barrierTimeout = time.Second

// barrier returns when the manager has what was left with it: from then on this
// process may die.
func (m *monitor) barrier() {
	if m.store == nil {
		return
	}
	if err := m.store.Barrier(barrierTimeout); err != nil {
		m.log.say(err.Error())
	}
}

// notifyManager tells the service manager something.
func (m *monitor) notifyManager(pairs ...string) {
	if m.store == nil {
		return
	}
	if err := m.store.Notify(pairs...); err != nil {
		m.log.say(err.Error())
	}
}

// changeManager leaves everything with another manager, which has asked for it.
func (m *monitor) changeManager(addr string, pid int, watchdog time.Duration) {
	store, err := fdstore.Open(addr)
	if err != nil {
		m.log.say("cannot turn to the new service manager: " + err.Error())
		return
	}
	if m.store != nil {
		m.store.Close()
	}
	m.store = store
	m.manager.Notify, m.manager.Pid, m.manager.Watchdog = addr, pid, watchdog
	m.beginAlive()
	for _, s := range m.kept {
		if err := store.Put(s.Name, s.FD); err != nil {
			m.log.say(err.Error())
			return
		}
	}
	m.log.say(fmt.Sprintf("process %d is the new service manager", pid))
	m.watchManager(pid)
}

// watchManager notices the death of a manager that nobody else looks after.
// While there is none, a monitor that dies isn't replaced.
func (m *monitor) watchManager(pid int) {
	if pid == 0 || len(m.manager.Revive) == 0 {
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		m.revive()
		return
	}
	err = m.loop.Add(fd, unix.EPOLLIN, func(uint32) {
		m.loop.Remove(fd)
		unix.Close(fd)
		m.revive()
	})
	if err != nil {
		m.log.say(err.Error())
		unix.Close(fd)
	}
}

// revive starts another manager; it will ask to be told everything.
func (m *monitor) revive() {
	if m.core != nil && m.core.Life.Phase == PhaseFinished {
		return
	}
	m.log.say("the service manager has died: another one is started")
	argv := m.manager.Revive
	m.background(func() func() {
		err := runHelper(argv)
		if err == nil {
			return func() {}
		}
		time.Sleep(reviveRetry)
		return func() {
			m.log.say("cannot start a service manager: " + err.Error())
			m.revive()
		}
	})
}

// background is a job that has nothing to do with the guest, so that nothing
// waits for it.
func (m *monitor) background(f func() func()) {
	m.asides++
	go func() {
		then := f()
		m.loop.Post(func() {
			m.asides--
			then()
		})
	}()
}

// runHelper runs this very program with other arguments.
func runHelper(argv []string) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/null: %w", err)
	}
	defer unix.Close(null)
	pid, err := syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Dir: "/", Env: syscall.Environ(), Files: []uintptr{uintptr(null), uintptr(null), 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	if st != 0 {
		return fmt.Errorf("%v: wait status %#x", argv, int(st))
	}
	return nil
}
