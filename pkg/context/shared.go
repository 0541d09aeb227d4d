package context

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
	"github.com/sysct/sysct/pkg/context/mounts"
)

// openShared opens the network namespace that the guest has together with another.
func (l *launch) openShared() (err error) {
	if l.spec.Net.Share == "" {
		return nil
	}
	if l.opt.SharedNet == nil {
		return errors.New("nobody knows the network of " + l.spec.Net.Share)
	}
	l.shared, err = l.opt.SharedNet()
	if err != nil {
		l.shared = -1
	}
	return err
}

func (l *launch) dropShared() { closeFD(&l.shared) }

// openSharedSys mounts the sysfs of the other guest's namespace, from a thread that is in it:
// a sysfs shows the interfaces of the namespace that it was mounted in, and the guest's own
// user namespace may not mount it, as that one isn't its.
func (l *launch) openSharedSys() error {
	return ownthread.Run(func() error {
		if err := unix.Setns(l.shared, unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		fs, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
		if err != nil {
			return &mounts.CallError{Call: "fsopen", Path: "sysfs", Err: err}
		}
		defer unix.Close(fs)
		if err := unix.FsconfigCreate(fs); err != nil {
			return &mounts.CallError{Call: "fsconfig", Path: "sysfs", Err: err}
		}
		fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
		if err != nil {
			return &mounts.CallError{Call: "fsmount", Path: "sysfs", Err: err}
		}
		l.sys = fd
		return mounts.SetAttr(fd, mounts.AttrReadonly|mounts.AttrNosuid|mounts.AttrNodev|mounts.AttrNoexec)
	})
}
