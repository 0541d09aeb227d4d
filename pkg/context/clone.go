package context

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/views"
)

// StageName is the first argument of the stage: who has it is not yet, or will
// never be, the guest's init.
const StageName = "sysct-stage"

// cloned is the stage's process, waiting on its socket.
type cloned struct {
	pid   int
	pidfd int
}

// cloneStage starts the stage in its namespaces and in the control group of
// cgroupFD, with the other end of the socket as descriptor 3. It does so from a
// thread of its own: the time namespace has to exist before the user namespace,
// so that the host owns it and can write its offsets, and it is made for the
// children of the thread that unshares it. The thread ends with the goroutine,
// so no later child inherits it.
func cloneStage(s *Spec, cgroupFD, socket, net int, warn func(string)) (cloned, error) {
	var c cloned
	err := ownthread.Run(func() (err error) {
		c, err = cloneHere(s, cgroupFD, socket, net, warn)
		return err
	})
	return c, err
}

func cloneHere(s *Spec, cgroupFD, socket, net int, warn func(string)) (cloned, error) {
	if err := newTime(); errors.Is(err, unix.EPERM) {
		// CAP_SYS_TIME is missing, as it is in a guest: the new namespace has the clocks of this one.
		warn("the guest's uptime is that of this system: sysct may not set the offsets of its clocks (CAP_SYS_TIME)")
	} else if err != nil {
		return cloned{}, err
	}
	normalScheduling()
	if net >= 0 {
		if err := unix.Setns(net, unix.CLONE_NEWNET); err != nil {
			return cloned{}, os.NewSyscallError("setns", err)
		}
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return cloned{}, os.NewSyscallError("open /dev/null", err)
	}
	defer unix.Close(null)
	c := cloned{pidfd: -1}
	attr := &syscall.ProcAttr{
		Dir: "/",
		// One thread is enough for a list of steps, and nothing lives long enough to be collected.
		Env:   []string{"GOMAXPROCS=1", "GOGC=off"},
		Files: []uintptr{uintptr(null), uintptr(null), 2, uintptr(socket)},
		Sys: &syscall.SysProcAttr{
			Cloneflags:                 ns.CloneFlags(s.IDs, s.Net.Private),
			UseCgroupFD:                true,
			CgroupFD:                   cgroupFD,
			UidMappings:                s.IDs.Map(),
			GidMappings:                s.IDs.Map(),
			GidMappingsEnableSetgroups: !s.IDs.Host(),
			Credential:                 &syscall.Credential{Uid: 0, Gid: 0},
			PidFD:                      &c.pidfd,
		},
	}
	// The helper is this very program. By /proc/self/exe, because a path to it need not be open to the guest's ids.
	c.pid, err = syscall.ForkExec("/proc/self/exe", []string{StageName, "stage"}, attr)
	if err != nil {
		return cloned{}, os.NewSyscallError("clone", err)
	}
	return c, nil
}

// newTime makes a time namespace for the children of this thread, whose clocks
// start at zero. Source: time_namespaces(7).
func newTime() error {
	if err := unix.Unshare(unix.CLONE_NEWTIME); err != nil {
		return os.NewSyscallError("unshare CLONE_NEWTIME", err)
	}
	var mono, boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return os.NewSyscallError("clock_gettime", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return os.NewSyscallError("clock_gettime", err)
	}
	path := "/proc/" + strconv.Itoa(unix.Gettid()) + "/timens_offsets"
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open "+path, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, views.TimeOffsets(duration(mono), duration(boot))); err != nil {
		return os.NewSyscallError("write "+path, err)
	}
	return nil
}

// normalScheduling takes from this thread, and so from the guest, what the shell ran
// with that started the first guest of the instance: a nice value or a real-time
// policy. The latter can't even enter the guest's control group on v1 (EINVAL). A host
// that doesn't allow it (CAP_SYS_NICE) leaves the guest what it has.
func normalScheduling() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	unix.SchedSetAttr(0, &attr, 0)
}

func duration(t unix.Timespec) time.Duration {
	return time.Duration(t.Sec)*time.Second + time.Duration(t.Nsec)
}

// kill ends the stage, or the guest if it had got that far, and reaps it.
func (c cloned) kill() {
	unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0)
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(c.pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	unix.Close(c.pidfd)
}

// userns opens the stage's user namespace: its maps are what mounts are idmapped by. A guest
// with the host's ids has none: store.HostIDs.
func (c cloned) userns(ids ns.IDRange) (int, error) {
	if ids.Host() {
		return store.HostIDs, nil
	}
	fd, err := unix.Open("/proc/"+strconv.Itoa(c.pid)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open user namespace of %d: %w", c.pid, err)
	}
	return fd, nil
}
