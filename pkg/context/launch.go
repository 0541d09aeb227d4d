package context

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/limits"
)

// stageTimeout bounds each wait for the stage, in microseconds: its steps take
// milliseconds, so this long means that it hangs.
const stageTimeout = 30e6

// Options are the caller's hooks of a launch.
type Options struct {
	// BeforeExec runs when the guest is complete but for its init's exec: what is
	// stored here is known to outlive the caller. An error ends the launch.
	BeforeExec func(*Guest) error
	// StartHost runs when the guest is complete, before BeforeExec, with the pid of the
	// process that becomes its init: the place of the start-host hooks.
	StartHost func(pid int) error
	// Cancel, when it is closed, ends a launch that hooks keep from getting on; nil: never.
	Cancel <-chan struct{}
	// Say takes the lines that hooks in the guest print, in another goroutine.
	Say func(line string)
	// ServeViews takes over the descriptor of /dev/fuse that the guest's views are asked by; it
	// must not wait, and whoever serves them does so from then on. pid is the process that
	// becomes the guest's init. nil: the guest gets none.
	ServeViews func(dev, pid int)
	// SharedNet gives a descriptor of the network namespace that the guest has together with
	// another, which Launch closes; it is asked only if Spec.Net.Share is set.
	SharedNet func() (int, error)
	// Memory is the most that the guest may use, in bytes: it bounds the tmpfs that the guest
	// begins with. 0: no bound but the host's own memory.
	Memory int64
	// Warn takes what the guest has to do without, in any goroutine; nil: nobody does.
	Warn func(text string)
	// Failpoint, if set, runs before each named step; an error stands in for the step's.
	Failpoint func(step string) error
}

// launch is what the steps hand on to each other.
type launch struct {
	spec   *Spec
	group  limits.Group
	opt    Options
	conn   *proto.Conn
	peer   int // the stage's end until it is cloned
	stage  cloned
	root   int // detached mounts
	dev    int
	sys    int
	creds  int
	views  int
	nodes  map[string]int // detached mounts of this system's device nodes, by their names
	nested map[string]int // detached mounts, see nestedPlaces
	shown  bool           // this launch shows the running root at rootfs/
	guest  *Guest

	shared  int      // the network namespace of another guest, or -1
	net     *network // that is at work
	netMade bool     // it has made something, or may have

	hookOut, hookErr *hooks.Output // nil: no hook runs in the guest
	unwatch          func()
}

// step is one of the launch, with what takes it back.
type step struct {
	name string
	do   func(*launch) error
	undo func(*launch)
}

func steps() []step {
	return []step{
		{"begin network", (*launch).beginNetwork, (*launch).dropNetwork},
		{"open shared network", (*launch).openShared, (*launch).dropShared},
		{"open stage socket", (*launch).socket, (*launch).closeSocket},
		{"clone", (*launch).clone, (*launch).killStage},
		{"open network namespace", (*launch).tellNetwork, nil},
		{"mount rootfs", (*launch).mountRoot, (*launch).dropRoot},
		{"check init", (*launch).checkInit, nil},
		{"make /dev", (*launch).makeDev, (*launch).dropDev},
		{"open /sys", (*launch).openSys, (*launch).dropSys},
		{"make credentials", (*launch).makeCreds, (*launch).dropCreds},
		{"make views", (*launch).makeViews, (*launch).dropViews},
		{"open nested directories", (*launch).openNested, (*launch).dropNested},
		{"prepare hooks", (*launch).prepareHooks, (*launch).dropHooks},
		{"set up stage", (*launch).setup, nil},
		{"wait for stage", (*launch).ready, (*launch).closeGuest},
		{"set resource limits", (*launch).resources, nil},
		{"make network", (*launch).awaitNetwork, nil},
		{"start-host hook", (*launch).startHost, nil},
		{"store", (*launch).beforeExec, nil},
		{"exec init", (*launch).exec, nil},
	}
}

// Launch starts a guest in the group g and returns when its init has been
// executed. It blocks for some milliseconds, 30 s at most. On an error, always a
// *StepError, nothing of the guest is left but the group, which is the caller's.
func Launch(spec *Spec, g limits.Group, opt Options) (*Guest, error) {
	if err := spec.IDs.Check(); err != nil {
		return nil, &StepError{Step: "check", Err: err}
	}
	l := &launch{spec: spec, group: g, opt: opt, peer: -1, root: -1, dev: -1, sys: -1, creds: -1, views: -1, shared: -1, unwatch: func() {}}
	all := steps()
	for i, st := range all {
		err := l.failpoint(st.name)
		if err == nil {
			err = st.do(l)
		}
		if err != nil {
			// The step itself may be half done: its undo copes.
			for j := i; j >= 0; j-- {
				if all[j].undo != nil {
					all[j].undo(l)
				}
			}
			return nil, stepError(st.name, err)
		}
	}
	l.release()
	return l.guest, nil
}

func (l *launch) failpoint(name string) error {
	if l.opt.Failpoint == nil {
		return nil
	}
	return l.opt.Failpoint(name)
}

// stepError names the step, unless the error names a finer one itself.
func stepError(name string, err error) error {
	var se *StepError
	if errors.As(err, &se) {
		return se
	}
	e := &StepError{Step: name, Err: err}
	var call *mounts.CallError
	if errors.As(err, &call) {
		e.Call, e.Path, e.Err = call.Call, call.Path, call.Err
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		e.Call, e.Err = sys.Syscall, sys.Err
	}
	return e
}

// receive turns a failure that the stage reports, and its sudden end, into an error.
func (l *launch) receive() (proto.Message, map[string]int, error) {
	m, fds, err := l.conn.Receive()
	switch {
	case errors.Is(err, unix.EAGAIN):
		return m, nil, fmt.Errorf("no answer from the stage in %d s", int(stageTimeout/1e6))
	case errors.Is(err, io.EOF) && l.guest == nil:
		return m, nil, fmt.Errorf("the stage died")
	case err != nil:
		return m, nil, err
	case m.Kind == proto.KindFailed && m.Failed != nil:
		f := m.Failed
		cause := error(unix.Errno(f.Errno))
		if f.Errno == 0 {
			cause = errors.New(f.Text)
		}
		return m, nil, &StepError{Step: f.Step, Call: f.Call, Path: f.Path, Err: l.withOutput(f.Step, cause)}
	}
	return m, fds, nil
}

// release closes what only the launch needed.
func (l *launch) release() {
	l.conn.Close()
	closeFD(&l.root)
	closeFD(&l.dev)
	closeFD(&l.sys)
	closeFD(&l.creds)
	closeFD(&l.views)
	closeFD(&l.shared)
	l.dropNested()
	l.dropNodes()
	l.dropHooks()
}

func closeFD(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
		*fd = -1
	}
}
