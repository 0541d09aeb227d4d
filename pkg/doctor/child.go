package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits/detect"
	"github.com/sysct/sysct/pkg/limits/devices"
)

// trialGroup begins the name of the control group that the child is cloned into; the
// pid ends it. It is removed with the child, by the next doctor if this one is killed.
const trialGroup = "sysct-doctor-"

// child is a process in a user namespace and a control group of its own. It is
// traced and stops before its first instruction, so it never runs.
type child struct {
	pid, pidfd, userns, group int // group: the directory; -1 each: none
	groupPath                 string
	errUser, errGroup         error
	done                      chan struct{} // closed when it is to end
	ended                     chan struct{}
}

// newChild makes it, without the group if there can't be one.
func newChild() *child {
	c := &child{pid: -1, pidfd: -1, userns: -1, group: -1, done: make(chan struct{}), ended: make(chan struct{})}
	c.errGroup = c.makeGroup()
	ready := make(chan struct{})
	go c.keep(ready)
	<-ready
	return c
}

func (c *child) makeGroup() error {
	tree, err := detect.Find()
	if err != nil {
		return err
	}
	sweepGroups(tree.V2)
	c.groupPath = tree.V2 + "/" + trialGroup + strconv.Itoa(os.Getpid())
	if err := os.Mkdir(c.groupPath, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	c.group, err = unix.Open(c.groupPath, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return err
}

// sweepGroups removes groups of doctors that have been killed.
func sweepGroups(v2 string) {
	left, _ := filepath.Glob(v2 + "/" + trialGroup + "*")
	for _, path := range left {
		pid := strings.TrimPrefix(filepath.Base(path), trialGroup)
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			os.Remove(path)
		}
	}
}

// keep is the child's tracer, which is a thread.
func (c *child) keep(ready chan struct{}) {
	defer close(c.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if c.group >= 0 {
		if err := c.fork(true); err != nil {
			c.errGroup = err
		}
	}
	if c.pid < 0 {
		if c.errUser = c.fork(false); c.errUser != nil {
			c.errGroup = nil // it wasn't the group's fault
		}
	}
	if c.pid > 0 {
		c.userns, c.errUser = unix.Open("/proc/"+strconv.Itoa(c.pid)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	close(ready)
	<-c.done
	if c.pid > 0 {
		unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0) // it may be dead
		reap(c.pid)
	}
}

func (c *child) fork(intoGroup bool) error {
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1, Size: 1}}
	pidfd := -1
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"sysct-doctor"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Ptrace: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd, UseCgroupFD: intoGroup, CgroupFD: c.group,
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: one, GidMappings: one,
		},
	})
	if err != nil {
		return err
	}
	c.pid, c.pidfd = pid, pidfd
	return nil
}

// reap waits for a traced child, which reports its stop first.
func reap(pid int) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) || err == nil && !status.Stopped() {
			return
		}
	}
}

// end kills the child, by its group, and removes what was made for it.
func (c *child) end() {
	close(c.done)
	<-c.ended
	for _, fd := range []int{c.pidfd, c.userns, c.group} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if c.groupPath != "" {
		os.Remove(c.groupPath) // or else the next one does it
	}
}

func (c *child) try(trial Trial) error {
	switch trial {
	case TryUser:
		return c.errUser
	case TryPidfd:
		return c.tryPidfd()
	case TryPidInfo:
		return c.tryPidInfo()
	case TryIntoGroup:
		return c.errGroup
	case TryKill:
		return c.writable("cgroup.kill")
	case TryFreeze:
		return c.writable("cgroup.freeze")
	case TryDevices:
		if c.group < 0 {
			return c.errGroup
		}
		return devices.Attach(c.group, devices.Default())
	}
	return fmt.Errorf("nobody knows how to try %q", trial)
}

func (c *child) tryIDMap(dir string) error {
	if c.userns < 0 {
		return fmt.Errorf("no user namespace: %w", c.errUser)
	}
	return store.TryIDMap(dir, c.userns)
}

// tryPidfd fetches the child's standard input: a traced child's files are there.
func (c *child) tryPidfd() error {
	if c.pidfd < 0 {
		return fmt.Errorf("%w: there is no process for it", errUntried)
	}
	fd, err := unix.PidfdGetfd(c.pidfd, 0, 0)
	if err == nil {
		return unix.Close(fd)
	}
	if errors.Is(err, unix.EBADF) {
		return nil // it looked, and found none
	}
	return os.NewSyscallError("pidfd_getfd", err)
}

func (c *child) tryPidInfo() error {
	if c.pidfd < 0 {
		return fmt.Errorf("%w: there is no process for it", errUntried)
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_PID}
	return os.NewSyscallError("ioctl", unix.IoctlPidfdInfo(c.pidfd, &info))
}

func (c *child) writable(name string) error {
	if c.group < 0 {
		return c.errGroup
	}
	fd, err := unix.Openat(c.group, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	return unix.Close(fd)
}
