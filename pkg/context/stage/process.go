package stage

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/caps"
	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// joinCgroups moves this thread into the v1 groups. Writing "0" to tasks takes no
// threadgroup lock, so no RCU grace period is waited for; the permission checked
// is that of the host's root, who opened the files. At exec this thread becomes
// the process.
func (s *stage) joinCgroups() error {
	for i := 0; ; i++ {
		fd, ok := s.fds[proto.Join(i)]
		if !ok {
			return nil
		}
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			return os.NewSyscallError("write tasks", err)
		}
		unix.Close(fd)
	}
}

// unshareCgroup comes after the groups were joined: they become the roots. Before
// cgroup2 is mounted, because a mount without it costs 9 to 15 ms.
func (s *stage) unshareCgroup() error {
	return os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWCGROUP))
}

func (s *stage) loopback() error {
	if !s.setup.Loopback {
		return nil
	}
	return space.LoopbackUp()
}

func (s *stage) hostname() error {
	return os.NewSyscallError("sethostname", unix.Sethostname([]byte(s.setup.Hostname)))
}

// session gives the guest's init a session and a keyring of its own, the console
// as its first three descriptors, and the usual umask.
func (s *stage) session() error {
	// The caller's session keyring must not be the guest's; without key support
	// there is none to leave.
	// A null name makes an anonymous one. Source: keyctl(2).
	_, _, errno := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	if errno != 0 && errno != unix.ENOSYS {
		return os.NewSyscallError("keyctl", errno)
	}
	if _, err := unix.Setsid(); err != nil {
		return os.NewSyscallError("setsid", err)
	}
	for fd := range 3 {
		if err := unix.Dup3(s.slave, fd, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	unix.Umask(0o022)
	return nil
}

func (s *stage) capabilities() error {
	return caps.Apply(caps.Set(s.setup.Caps))
}

// rlimits come last of all, when nothing of this program has to live with them. The host
// has set them already: here they keep Go's runtime from giving init the number of open
// files back that it once had itself.
func (s *stage) rlimits() error {
	for _, r := range s.setup.Rlimits {
		if err := unix.Setrlimit(r.Resource, &unix.Rlimit{Cur: r.Cur, Max: r.Max}); err != nil {
			return fmt.Errorf("rlimits.%s: %w", r.Name, os.NewSyscallError("setrlimit", err))
		}
	}
	return nil
}

// filter is the last change: what comes after must pass it. no_new_privs stays
// off, so that sudo works in the guest; CAP_SYS_ADMIN of the guest's own user
// namespace is enough to load it. Source: seccomp(2).
func (s *stage) filter() error {
	if len(s.setup.Filter)%8 != 0 || len(s.setup.Filter) == 0 {
		return fmt.Errorf("a filter of %d bytes", len(s.setup.Filter))
	}
	prog := unsafe.Slice((*unix.SockFilter)(unsafe.Pointer(&s.setup.Filter[0])), len(s.setup.Filter)/8)
	if s.setup.Listener {
		fd, err := seccomp.Load(prog, true)
		if err == nil {
			s.give(proto.FDListener, fd)
			return nil
		}
		// EBUSY: what sysct runs in has a listener for its own, of which a thread has
		// one at most. The parent sees that none came.
		seccomp.Deafen(prog)
	}
	_, err := seccomp.Load(prog, false)
	return err
}
