package monitor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/hooks"
)

// hookRun is the hooks of a boot or of its end.
type hookRun struct {
	ctx context.Context
	end context.CancelFunc
}

// errGivenUp is why hooks are killed before their time.
var errGivenUp = errors.New("the guest is stopped")

// begin is for the next hooks; those before have ended.
func (h *hookRun) begin() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	h.ctx, h.end = ctx, func() { cancel(errGivenUp) }
	return ctx
}

// giveUp ends those that are being run.
func (h *hookRun) giveUp() {
	if h.end != nil {
		h.end()
	}
}

// hookEnd is the part of the mark of hooks that are run when a boot has ended: what those
// of its beginning have left running isn't theirs.
const hookEnd = "/end"

// hookID marks what comes from the hooks of this boot, also for a successor.
func (m *monitor) hookID() string {
	return filepath.Join(m.plan.RunDir, m.plan.Name) + "@" + strconv.FormatInt(m.core.Life.BeganAt.UnixNano(), 36)
}

// hookRunner is for a job: it says in the log what hooks print.
func (m *monitor) hookRunner(id string) *hooks.Runner {
	return &hooks.Runner{Plan: &m.plan.Context.Hooks, ID: id, Guests: filepath.Dir(m.plan.Context.Root.GuestDir), Say: m.sayLater}
}

// sayLater is for jobs' goroutines.
func (m *monitor) sayLater(line string) { m.loop.Post(func() { m.log.say(line) }) }

// hookFailed is a failed hook as a step of a start.
func hookFailed(err error) error {
	var failed *hooks.Error
	if errors.As(err, &failed) {
		return &sysctx.StepError{Step: failed.Hook + " hook", Call: "run", Path: failed.Path, Err: failed.Err}
	}
	return err
}

// launchHooks are a boot's hooks on the host.
type launchHooks struct {
	m      *monitor
	ctx    context.Context
	runner *hooks.Runner
}

func (m *monitor) newLaunchHooks() *launchHooks {
	if !m.core.policy.Hooks {
		return nil
	}
	return &launchHooks{m: m, ctx: m.hooks.begin(), runner: m.hookRunner(m.hookID())}
}

// preStart is in a job's goroutine, as what follows.
func (l *launchHooks) preStart() error {
	if l == nil {
		return nil
	}
	return hookFailed(l.runner.Run(l.ctx, l.m.plan.Context.HookContext(hooks.PreStart)))
}

func (l *launchHooks) startHost(pid int) error {
	c := l.m.plan.Context.HookContext(hooks.StartHost)
	c.Pid = pid
	return hookFailed(l.runner.Run(l.ctx, c))
}

// options has a launch run them.
func (l *launchHooks) options(o sysctx.Options) sysctx.Options {
	if l == nil {
		return o
	}
	o.Cancel, o.Say = l.ctx.Done(), l.m.sayLater
	if l.runner.Plan.Has(hooks.StartHost) {
		o.StartHost = l.startHost
	}
	return o
}

// endHooks are those of the end of a boot. A failure is said in the log: nothing else
// hangs on it.
func (m *monitor) endHooks(name string) func() {
	if !m.plan.Context.Hooks.Has(name) {
		return func() {}
	}
	c := m.plan.Context.HookContext(name)
	if c.Target = hooks.TargetReboot; m.core.Life.Final || m.core.Life.Stop != nil {
		c.Target = hooks.TargetStop
	}
	if name == hooks.Stop {
		c.Namespaces = m.namespaces.paths()
	}
	ctx, runner := m.hooks.begin(), m.hookRunner(m.hookID()+hookEnd)
	return func() {
		if err := runner.Run(ctx, c); err != nil {
			m.sayLater(err.Error())
		}
	}
}

// endOldHooks ends what a monitor that was killed has left of hooks that it ran: those of a
// launch begin anew, and so do those of an end.
func (m *monitor) endOldHooks() {
	if !m.core.policy.Hooks {
		return
	}
	id := m.hookID()
	switch m.core.Life.Phase {
	case PhaseLaunch, PhaseStored:
	case PhaseCleanup, PhaseFinish:
		id += hookEnd
	default:
		return
	}
	if n := hooks.KillMarked(id); n > 0 {
		m.log.say(fmt.Sprintf("ended %d processes of hooks that the monitor before this one ran", n))
	}
}

// namespaces are the guest's, kept for its stop hooks, by their names in /proc/PID/ns.
type namespaces map[string]int

// fdNamespace and a name is what they are stored as.
const fdNamespace = "ns-"

func namespaceNames() []string {
	return []string{"user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time"}
}

// openNamespaces is in a job's goroutine. A kind that this kernel doesn't have is missing.
func openNamespaces(pid int) namespaces {
	all := namespaces{}
	for _, name := range namespaceNames() {
		fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			all[name] = fd
		}
	}
	return all
}

// paths are where a process of the host finds them.
func (n namespaces) paths() map[string]string {
	paths := map[string]string{}
	for name, fd := range n {
		paths[name] = "/proc/" + strconv.Itoa(unix.Getpid()) + "/fd/" + strconv.Itoa(fd)
	}
	return paths
}

func (m *monitor) keepNamespaces(all namespaces) {
	m.namespaces = all
	for name, fd := range all {
		m.keep(fdNamespace+name, fd)
	}
}

func (m *monitor) takeNamespaces(h *heritage) {
	m.namespaces = namespaces{}
	for _, name := range namespaceNames() {
		if fd, ok := h.take(fdNamespace + name); ok {
			m.inherit(fdNamespace+name, fd)
			m.namespaces[name] = fd
		}
	}
}

func (m *monitor) dropNamespaces() {
	for name, fd := range m.namespaces {
		m.drop(fdNamespace + name)
		unix.Close(fd)
	}
	m.namespaces = nil
}

// destroyHooks are run before an ephemeral guest is destroyed. Nobody is there who could
// mend one that fails: it is said, and the guest goes all the same.
func (m *monitor) destroyHooks() func() {
	if !m.plan.Context.Hooks.Has(hooks.Destroy) {
		return func() {}
	}
	ctx, runner := m.hooks.begin(), m.hookRunner(m.hookID()+hookEnd)
	return func() {
		if err := runner.Run(ctx, m.plan.Context.HookContext(hooks.Destroy)); err != nil {
			m.sayLater(err.Error())
		}
	}
}
