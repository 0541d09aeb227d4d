package monitor

import (
	"context"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// watchInit notices the end of init.
func (m *monitor) watchInit(pid int) {
	pidfd := m.pidfd
	err := m.loop.Add(pidfd, unix.EPOLLIN, func(uint32) {
		m.loop.Remove(pidfd)
		m.initEnded(pid)
	})
	if err != nil {
		m.log.say(err.Error())
	}
}

// initEnded finds out how, which takes a moment if it isn't our child.
func (m *monitor) initEnded(pid int) {
	pidfd, group, before := m.pidfd, m.group, m.core.Life.OOMKills
	m.job(func() func() {
		status, err := peek(pid)
		known, own := err == nil, err == nil
		if !own {
			status, known = endOf(pid, pidfd, m.plan.RunDir)
		}
		kills := int64(0)
		if group != nil {
			kills = oomKills(group) - before
		}
		return func() {
			if own {
				m.zombie = pid
			}
			m.emit(InitEnded{Known: known, Status: status, OOMKills: kills})
		}
	})
}

// reapTime is how long the parent of an init, if that is another process, may
// take to reap it.
const reapTime = time.Second

// endOf is for an init that is another process's child. It asks the holder, who
// may have reaped it, and then the kernel by the pidfd (PIDFD_GET_INFO with
// PIDFD_INFO_EXIT, Linux 6.15, once init has been reaped).
func endOf(pid, pidfd int, runDir string) (unix.WaitStatus, bool) {
	for deadline := time.Now().Add(reapTime); ; time.Sleep(5 * time.Millisecond) {
		// First the pidfd: once it says that init was reaped, the holder has done
		// it or never will.
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		err := unix.IoctlPidfdInfo(pidfd, &info)
		if st, ok := askHolder(pid, runDir); ok {
			return st, true
		}
		if err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return certain(unix.WaitStatus(info.Exit_code))
		}
		if time.Now().After(deadline) {
			return 0, false
		}
	}
}

// certain says whether a status that a pidfd gave is what waiting would have
// given. The pidfd tells how init ended as a task. Where that is status 0 or
// SIGKILL it may have been reboot(2) in its pid namespace, by init or by another
// process of the guest, for which only wait(2) gives the signal it stands for.
func certain(st unix.WaitStatus) (unix.WaitStatus, bool) {
	if st == 0 || st == unix.WaitStatus(unix.SIGKILL) {
		return 0, false
	}
	return st, true
}

// childInfo is a siginfo_t as waitid(2) fills it in on 64-bit machines.
type childInfo struct {
	signo, errno, code, _ int32
	pid                   int32
	uid                   uint32
	status                int32
	_                     [100]byte
}

// Values of si_code for a child that has ended.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// peek says how a child of this process ended, and leaves it to be reaped: until
// that is written down, a successor has to be able to learn it too.
func peek(pid int) (unix.WaitStatus, error) {
	var info childInfo
	for {
		err := unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return 0, err
		}
	}
	switch {
	case int(info.pid) != pid:
		return 0, unix.EAGAIN
	case info.code == cldExited:
		return unix.WaitStatus(info.status << 8), nil
	case info.code == cldKilled || info.code == cldDumped:
		return unix.WaitStatus(info.status), nil
	}
	return 0, unix.EINVAL
}

// reap lets a child go whose end was peeked at.
func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != unix.EINTR {
			return
		}
	}
}

// askHolder asks who reaps orphans how a process ended.
func askHolder(pid int, runDir string) (unix.WaitStatus, bool) {
	dir, err := unix.Open(runDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(dir)
	ctx, cancel := context.WithTimeout(context.Background(), reapTime)
	defer cancel()
	c, err := control.DialAt(ctx, dir, control.HolderSocketName)
	if err != nil {
		return 0, false
	}
	defer c.Close()
	var resp control.Response
	if _, err := c.Call(ctx, control.Request{Op: control.OpReap, Pid: pid}, &resp); err != nil || resp.Status == nil {
		return 0, false
	}
	return unix.WaitStatus(*resp.Status), true
}

// listenToInit reads what the guest says by sd_notify(3).
func (m *monitor) listenToInit(fd int) {
	m.notify = fd
	if err := m.loop.Add(fd, unix.EPOLLIN, func(uint32) { m.hearInit(fd) }); err != nil {
		m.log.say(err.Error())
	}
}

// A guest can send as many messages as it likes: after so many in one go it has
// to wait.
const (
	notifyBudget = 16
	notifyPause  = 50 * time.Millisecond
)

func (m *monitor) hearInit(fd int) {
	buf := make([]byte, 4096)
	var told Told
	heard, drained := false, false
	for range notifyBudget {
		// Without room for control messages: descriptors sent along are discarded
		// by the kernel.
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err != nil {
			drained = true
			break
		}
		told.merge(fdstore.Parse(buf[:n]))
		heard = true
	}
	if heard {
		m.emit(told)
	}
	if drained {
		return
	}
	// It says more than an init has to say: it is heard again later.
	m.loop.Remove(fd)
	boots := m.core.Life.Boots
	m.background(func() func() {
		time.Sleep(notifyPause)
		return func() {
			if m.notify == fd && m.core.Life.Boots == boots {
				m.listenToInit(fd)
			}
		}
	})
}

// maxStatus bounds what is kept of a status text, in bytes.
const maxStatus = 200

func (t *Told) merge(msg fdstore.Message) {
	t.Ready = t.Ready || msg.Has("READY", "1")
	if s, ok := msg.Get("STATUS"); ok {
		t.Status = printable(s[:min(len(s), maxStatus)])
	}
	if s, ok := msg.Get("EXIT_STATUS"); ok {
		if n, err := strconv.ParseUint(s, 10, 8); err == nil {
			code := int(n)
			t.ExitStatus = &code
		}
	}
}
