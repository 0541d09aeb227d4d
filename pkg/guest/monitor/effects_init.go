package monitor

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
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
	_, _ = m.readAlarm() // at once: systemd may be about to remove the groups
	pidfd, group, before, most := m.pidfd, m.group, m.core.Life.OOMKills, m.alarm.most
	m.job(func() func() {
		status, err := peek(pid)
		own := err == nil
		end := InitEnded{Known: own, Status: status}
		if !own {
			end = endOf(pid, pidfd, m.plan.RunDir)
		}
		if group != nil {
			end.OOMKills = max(oomKills(group), most.OOMKills) - before
			end.Refused = max(refused(group), most.Refused)
		}
		return func() {
			if own {
				m.zombie = pid
			}
			m.emit(end)
		}
	})
}

// reapTime is how long the parent of an init, if that is another process, may
// take to reap it.
const reapTime = time.Second

// endOf is for an init that is another process's child. It asks the holder, who
// may have reaped it, and then the kernel by the pidfd (PIDFD_GET_INFO with
// PIDFD_INFO_EXIT, Linux 6.15, once init has been reaped).
func endOf(pid, pidfd int, runDir string) InitEnded {
	for deadline := time.Now().Add(reapTime); ; time.Sleep(5 * time.Millisecond) {
		if st, ok := zombieOf(pid, pidfd); ok {
			return InitEnded{Known: true, Status: st}
		}
		// Then the pidfd before the holder: once it says that init was reaped, the holder has done
		// it or never will.
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		err := unix.IoctlPidfdInfo(pidfd, &info)
		if st, ok := askHolder(pid, runDir); ok {
			return InitEnded{Known: true, Status: st}
		}
		if err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			st := unix.WaitStatus(info.Exit_code)
			return InitEnded{Known: certain(st), Doubtful: !certain(st), Status: st}
		}
		if time.Now().After(deadline) {
			return InitEnded{}
		}
	}
}

// zombieOf reads how a process ended that isn't reaped yet: proc_pid_stat(5) tells what
// waiting would.
func zombieOf(pid, pidfd int) (unix.WaitStatus, bool) {
	const exitCode = 49 // counted from the state
	f := statFields(pid)
	if len(f) <= exitCode || f[0] != "Z" || unix.PidfdSendSignal(pidfd, 0, nil, 0) != nil {
		return 0, false
	}
	st, err := strconv.ParseUint(f[exitCode], 10, 32)
	return unix.WaitStatus(st), err == nil
}

// statFields are the fields of proc_pid_stat(5) from the state on; nil: there is no such
// process.
func statFields(pid int) []string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}

// certain says whether a status that a pidfd gave is what waiting would have
// given. The pidfd tells how init ended as a task. Where that is status 0 or
// SIGKILL it may have been reboot(2) in its pid namespace, by init or by another
// process of the guest, for which only wait(2) gives the signal it stands for.
func certain(st unix.WaitStatus) bool {
	return st != 0 && st != unix.WaitStatus(unix.SIGKILL)
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
