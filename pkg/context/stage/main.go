package stage

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/hooks"
)

// SocketFD is where the parent put the stage's end of the socket.
const SocketFD = 3

// stage is the state that the steps hand on to each other.
type stage struct {
	conn  *proto.Conn
	setup *proto.Setup
	fds   map[string]int // handed in
	out   []string       // names of the descriptors to hand over, with outFDs
	outFD []int
	root  int // the guest's root directory
	slave int // the console's slave
	step  string
}

type step struct {
	name string
	do   func(*stage) error
}

// steps in their order. The comments in each say why it can't be elsewhere.
func steps() []step {
	return []step{
		{"join cgroups", (*stage).joinCgroups},
		{"unshare cgroup namespace", (*stage).unshareCgroup},
		{"bring up loopback", (*stage).loopback},
		{"set hostname", (*stage).hostname},
		{"leave the host's mounts", (*stage).leaveMounts},
		{proto.HookStep(hooks.PreMount), runHooks(hooks.PreMount)},
		{"attach root", (*stage).attachRoot},
		{"mount", (*stage).mount},
		{"write /run/host", (*stage).runHost},
		{"open terminals", (*stage).terminals},
		{"bind notify socket", (*stage).notify},
		{"close /run/host", (*stage).closeRunHost},
		{"attach credentials", (*stage).credentials},
		{proto.HookStep(hooks.Mount), runHooks(hooks.Mount)},
		{proto.HookStep(hooks.Autodev), runHooks(hooks.Autodev)},
		{"pivot root", (*stage).pivot},
		{"write resolv.conf", (*stage).resolv},
		{"new session", (*stage).session},
		{"drop capabilities", (*stage).capabilities},
		{"load seccomp filter", (*stage).filter},
		{"hand over", (*stage).handOver},
		{proto.HookStep(hooks.Start), runHooks(hooks.Start)},
		{"set resource limits", (*stage).rlimits},
		{"exec init", (*stage).exec},
	}
}

// Main runs the stage on SocketFD. It returns only if the guest's init was not
// reached; the reason has then been sent to the parent. The result is the
// process's exit status.
func Main() int {
	// Everything below changes the calling thread alone (cgroup namespace, v1
	// group, capabilities, seccomp), and it is this thread that execs.
	runtime.LockOSThread()
	s := &stage{conn: proto.NewConn(SocketFD), root: -1, slave: -1}
	unix.CloseOnExec(SocketFD)
	m, fds, err := s.conn.Receive()
	if err != nil || m.Kind != proto.KindSetup || m.Setup == nil {
		return 1 // the parent is gone or confused: there is nobody to tell
	}
	s.setup, s.fds = m.Setup, fds
	for _, st := range steps() {
		s.step = st.name
		if err := st.do(s); err != nil {
			s.fail(err)
			return 1
		}
	}
	return 1
}

// fail reports the step, and the system call and path where they are known.
func (s *stage) fail(err error) {
	f := &proto.Failed{Step: s.step, Text: err.Error()}
	var call *mounts.CallError
	if errors.As(err, &call) {
		f.Call, f.Path, f.Text = call.Call, call.Path, call.Err.Error()
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		f.Call, f.Text = sys.Syscall, sys.Err.Error()
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		f.Errno = int(errno)
	}
	s.conn.Send(proto.Message{Kind: proto.KindFailed, Failed: f})
}

// give notes a descriptor for the parent.
func (s *stage) give(name string, fd int) {
	s.out, s.outFD = append(s.out, name), append(s.outFD, fd)
}

func (s *stage) handOver() error {
	if err := s.conn.Send(proto.Message{Kind: proto.KindReady, FDs: s.out}, s.outFD...); err != nil {
		return err
	}
	m, _, err := s.conn.Receive()
	if err != nil {
		os.Exit(1) // the parent is gone: the guest must not run unattended
	}
	if m.Kind != proto.KindGo {
		return fmt.Errorf("expected %s, got %s", proto.KindGo, m.Kind)
	}
	return nil
}

// exec becomes the guest's init: the first of the candidates that exists.
func (s *stage) exec() error {
	var tried []string
	for _, argv := range s.setup.Init {
		// A monitor may have been executed with a signal blocked.
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
		err := unix.Exec(argv[0], argv, s.setup.Env)
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			return &mounts.CallError{Call: "execve", Path: argv[0], Err: err}
		}
		tried = append(tried, argv[0])
	}
	return &mounts.CallError{Call: "execve", Path: strings.Join(tried, ", "), Err: unix.ENOENT}
}
