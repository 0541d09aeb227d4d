package stage

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/hooks"
)

// runHooks is the step that runs the commands of a hook. They are children of this
// process, so they have the guest's ids and namespaces and, after these have been given
// up, no capability more than its init and the same filter. Before the pivot they see the
// host's tree, of which they can open what everybody can.
func runHooks(name string) func(*stage) error {
	return func(s *stage) error {
		for _, h := range s.setup.Hooks {
			if h.Name != name {
				continue
			}
			for _, argv := range h.Commands {
				if err := s.runHook(&h, argv); err != nil {
					return &mounts.CallError{Call: "run", Path: argv[0], Err: err}
				}
			}
		}
		return nil
	}
}

func (s *stage) runHook(h *proto.Hook, argv []string) error {
	stdin, err := unix.MemfdCreate("sysct-hook", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(stdin)
	if _, err := unix.Pwrite(stdin, []byte(h.Stdin), 0); err != nil {
		return os.NewSyscallError("pwrite", err)
	}
	pidfd := -1
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: "/", Env: h.Env, Files: []uintptr{uintptr(stdin), uintptr(s.fds[proto.FDHookOut]), uintptr(s.fds[proto.FDHookErr])},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	switch {
	case err != nil && h.Name == hooks.Start:
		return err
	case errors.Is(err, unix.EACCES):
		return errors.New("permission denied: it is run as the guest's root, who has to reach it as any user")
	case err != nil:
		return hooks.Explain(argv[0], err)
	}
	defer unix.Close(pidfd)
	late := !awaitHook(pidfd, time.Duration(s.setup.HookTime)*time.Millisecond)
	// What a hook leaves running in the guest is the guest's. Before, it would stay in
	// the host's tree: it ends with the hook.
	if late || h.Name != hooks.Start {
		unix.Kill(-1, unix.SIGKILL)
	}
	st := reapHook(pid, late || h.Name != hooks.Start)
	if late {
		return fmt.Errorf("killed: it did not end in %v", time.Duration(s.setup.HookTime)*time.Millisecond)
	}
	return hooks.Status(st)
}

// awaitHook says whether a process ends in time.
func awaitHook(pidfd int, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); ; {
		if hooks.Exited(pidfd, max(time.Until(deadline), 0)) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// reapHook waits for the command, and for all that it has left if that was killed: this
// is process 1 of the namespace, so they are its children.
func reapHook(pid int, all bool) (status unix.WaitStatus) {
	for {
		var st unix.WaitStatus
		which := pid
		if all {
			which = -1
		}
		got, err := unix.Wait4(which, &st, 0, nil)
		if got == pid {
			status = st
		}
		if got == pid && !all || err != nil && !errors.Is(err, unix.EINTR) {
			return status
		}
	}
}

// credentials shows what was handed in for the guest's programs. Over the read-only
// /run/host, because a bind has nothing of what is mounted below it.
func (s *stage) credentials() error {
	if _, ok := s.fds[proto.FDCreds]; !ok {
		return nil
	}
	a := mounts.Applier{Root: s.root, FD: s.handedIn}
	defer a.Close()
	return a.Apply(mounts.Op{Kind: mounts.KindFD, FD: proto.FDCreds, Target: runHost + "/credentials"})
}
