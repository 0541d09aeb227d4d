package monitor

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/context/caps"
	"github.com/sysct/sysct/pkg/context/enter"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/limits"
)

const (
	// haltPatience is how long an init that is known to listen to a signal may
	// take to set it up, before it is asked by a command.
	haltPatience = 10 * time.Second
	// haltCommand is how long a command may take that asks init to shut down.
	// One that takes longer is taken to wait for the shutdown.
	haltCommand = 10 * time.Second
	// readyTimeout is for a run of the ready command.
	readyTimeout = 30 * time.Second
)

// errEnded says that there is nothing left to ask.
var errEnded = errors.New("init has ended by itself")

// inside is a guest's init with what it takes to run something beside it. It is
// used in jobs' goroutines.
type inside struct {
	plan  *Plan
	pid   int
	pidfd int
	group limits.Group

	favoured bool // this process has a score that the guest's must not get
}

func (m *monitor) inside() inside {
	return inside{m.plan, m.core.Life.Pid, m.pidfd, m.group, m.favoured}
}

func (m *monitor) haltJob() func() func() {
	in := m.inside()
	patient := now().Mono-m.core.Life.ExecAt < haltPatience
	return func() func() {
		halted := in.halt(patient)
		return func() { m.emit(halted) }
	}
}

// halt asks init to shut down, in the first way that works. An init that
// doesn't listen yet is to be asked again, for as long as patience lasts.
func (in inside) halt(patient bool) Halted {
	ways, boots, err := in.ways(patient)
	if errors.Is(err, errEnded) {
		return Halted{How: err.Error()}
	}
	if err != nil {
		return Halted{Err: err}
	}
	if len(ways) == 0 {
		return Halted{Retry: true}
	}
	var errs []error
	for _, w := range ways {
		if err = in.try(w); err == nil || !alive(in.pidfd) {
			return Halted{How: w.String()}
		}
		errs = append(errs, fmt.Errorf("%s: %w", w, err))
	}
	if patient && boots {
		return Halted{Retry: true}
	}
	return Halted{Err: errors.Join(errs...)}
}

// ways are how init is to be asked. boots: it is one that may have to boot
// further before any of them works.
func (in inside) ways(patient bool) (ways []way, boots bool, err error) {
	if h := in.plan.Halt; h != "" && h != HaltAuto {
		sig, err := signame.Parse(h)
		return []way{{signal: sig}}, false, err
	}
	facts, err := readInit(in.pid)
	if err != nil {
		if !alive(in.pidfd) {
			return nil, false, errEnded
		}
		return nil, false, err
	}
	ways = waysToHalt(facts)
	if len(ways) == 0 && !patient {
		ways = commands("poweroff", "/sbin/poweroff")
	}
	return ways, facts.asksByCommand(), nil
}

func (in inside) try(w way) error {
	if w.signal != 0 {
		return unix.PidfdSendSignal(in.pidfd, w.signal, nil, 0)
	}
	st, ended, err := in.run(w.argv, haltCommand, false)
	if err != nil || !ended || st.Signaled() || st.ExitStatus() == 0 {
		// Killed: by the shutdown that it began.
		return err
	}
	return fmt.Errorf("exit status %d", st.ExitStatus())
}

// run runs a command in the guest as its root, with nothing of the host's but
// /dev/null. One that doesn't end in time is killed, or left to go on.
func (in inside) run(argv []string, timeout time.Duration, kill bool) (st unix.WaitStatus, ended bool, err error) {
	child, err := in.start(argv)
	if err != nil {
		return 0, false, err
	}
	type result struct {
		st  unix.WaitStatus
		err error
	}
	done := make(chan result, 1)
	go func() {
		// Waited for to the end: the guest's init can't end before its
		// processes are reaped.
		st, err := child.Wait()
		done <- result{st, err}
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.st, r.err == nil, r.err
	case <-timer.C:
		if kill {
			child.Signal(unix.SIGKILL)
		}
		return 0, false, nil
	}
}

func (in inside) start(argv []string) (child *enter.Child, err error) {
	filter, err := seccomp.Build(seccomp.Policy{Nesting: in.plan.Context.Nesting, Privileged: in.plan.Context.IDs.Host()})
	if err != nil {
		return nil, err
	}
	leaf, err := in.group.Leaf()
	if err != nil {
		return nil, err
	}
	defer unix.Close(leaf)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(null)
	target := &enter.Target{PidFD: in.pidfd, LeafFD: leaf, JoinFDs: in.group.JoinFDs(), Filter: filter, Keep: caps.Default()}
	process := &enter.Process{Args: argv, Dir: "/", Files: [3]int{null, null, null}, Env: []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", "HOME=/root", "USER=root", "container=sysct",
	}}
	err = in.neutrally(func() (err error) {
		child, err = enter.Start(target, process)
		return err
	})
	return child, err
}

func (m *monitor) checkReadyJob() func() func() {
	in, argv := m.inside(), m.plan.ReadyCmd
	return func() func() {
		st, ended, err := in.run(argv, readyTimeout, true)
		ready := err == nil && ended && st.Exited() && st.ExitStatus() == 0
		return func() { m.emit(ReadyChecked{ready}) }
	}
}
