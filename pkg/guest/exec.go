package guest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/internal/safefs"
	"github.com/sysct/sysct/pkg/context/caps"
	"github.com/sysct/sysct/pkg/context/enter"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/guest/console/terminal"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// ExecOptions say what is run in a guest and how.
type ExecOptions struct {
	Args   []string          // the command; without a slash it is looked for in PATH
	Shell  bool              // run the user's login shell; Args are its arguments
	Env    map[string]string // beside a clean environment
	User   string            // name, uid, name:group or uid:gid; empty: root
	Cwd    string            // in the guest; empty: the user's home, or /
	TTY    bool              // a terminal of the guest's, joined with Stdin and Stdout
	Term   string            // TERM with a TTY
	Stdin  *os.File          // nil: /dev/null
	Stdout *os.File
	Stderr *os.File
	// Signals are passed on to the command.
	Signals <-chan os.Signal
}

// ErrNoCommand and ErrCommand tell why a command could not be executed; the exit
// statuses are a shell's, 127 and 126.
var (
	ErrNoCommand = errors.New("command not found")
	ErrCommand   = errors.New("command cannot be executed")
)

// inside is a running guest, held open for an exec.
type inside struct {
	pidfd   int
	idBase  uint32
	idSize  uint32
	nesting bool // see spec.Guest
	leaf    int
	joins   []int        // v1 files to join by
	group   limits.Group // whose the joins are; nil: they are the exec's own
	root    *safefs.Root

	handing   *handing           // of that listener; nil: there is none
	crowded   bool               // the monitor has no room for a listener
	listen    func(listener int) // takes the listener of the command's filter; nil: it needs none
	resources *control.Resources // nil: the caller's own
}

// Exec runs a command in a running guest and waits for it. The result is its
// exit status, 128+n for signal n. ErrState if the guest isn't running.
func (m *Manager) Exec(ctx context.Context, name string, o ExecOptions) (int, error) {
	in, err := m.openInside(ctx, name)
	if err != nil {
		return 0, err
	}
	defer in.close()
	p, err := in.process(o)
	if err != nil {
		return 0, err
	}
	if in.crowded {
		m.opt.Warn("too many programs that exec or shell have started still run in the guest: sysinfo(2) tells this one of the host's memory and load")
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot open /dev/null: %w", err)
	}
	defer null.Close()
	if o.TTY {
		return in.execTTY(o, p, null)
	}
	streams, err := newStreams(o, null)
	if err != nil {
		return 0, err
	}
	defer streams.close()
	p.Files = streams.fds()
	child, err := in.start(p)
	streams.handedOver()
	if err != nil {
		return 0, err
	}
	status, err := wait(child, o.Signals)
	streams.drain()
	return status, err
}

// openInside asks the monitor for init's pidfd: no pid is ever trusted.
func (m *Manager) openInside(ctx context.Context, name string) (*inside, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	in := &inside{pidfd: -1, leaf: -1}
	if err := m.initPidfd(ctx, name, in); err != nil {
		return nil, err
	}
	err := in.findGroup(m, name)
	if err == nil {
		in.root, err = enter.GuestRoot(in.pidfd)
	}
	if err != nil {
		err = in.unlessEnded(err, endPatience)
		in.close()
		return nil, err
	}
	return in, nil
}

func (m *Manager) initPidfd(ctx context.Context, name string, in *inside) error {
	resp, fds, err := m.askToEnter(ctx, name)
	// It ended or was replaced before it answered: whoever listens now, or will soon, knows.
	var quiet silence
	for try := 0; ctx.Err() == nil; {
		if errors.Is(err, control.ErrLost) && try < lostTries {
			try++
		} else if !errors.Is(err, control.ErrTimeout) {
			break
		} else if pid, known := m.keeper(name); !quiet.lasts(pid, known, time.Now()) {
			break
		}
		resp, fds, err = m.askToEnter(ctx, name)
	}
	if errors.Is(err, control.ErrNoMonitor) {
		return m.noMonitor(name)
	}
	if err != nil {
		return heard(ctx, name, err)
	}
	if len(fds) < 1 || resp.Run == nil {
		control.CloseAll(fds)
		return stateError("it is not running")
	}
	in.pidfd, in.idBase, in.idSize, in.nesting = fds[0], resp.Run.IDBase, max(resp.Run.IDSize, idledger.Size), resp.Run.Nesting
	in.resources = resp.Resources
	in.crowded = resp.Crowded
	if resp.Listening {
		in.listen = func(listener int) { in.handing = m.giveListener(ctx, name, listener) }
	}
	if len(fds) > 1 {
		in.leaf, in.joins = fds[1], fds[2:]
	}
	switch resp.Run.State {
	case state.Running, state.Stopping, state.Thawed:
		return nil
	}
	in.close()
	return stateError("it is %s", resp.Run.State)
}

// lostTries is how often a question is asked again whose monitor went away.
const lostTries = 5

// askToEnter asks the monitor for its guest's state and what an exec enters by.
func (m *Manager) askToEnter(ctx context.Context, name string) (*control.Response, []int, error) {
	conn, err := m.reach(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	var resp control.Response
	fds, err := conn.Call(ctx, control.Request{Op: control.OpStatus, Enter: true}, &resp)
	return &resp, fds, err
}

// findGroup opens the guest's groups if the monitor didn't hand them over.
func (in *inside) findGroup(m *Manager, name string) (err error) {
	if in.leaf >= 0 {
		return nil
	}
	if in.group, err = m.openGroup(name); err == nil {
		in.joins = in.group.JoinFDs()
		in.leaf, err = in.group.Leaf()
	}
	return err
}

func (in *inside) close() {
	in.handing.wait()
	if in.root != nil {
		in.root.Close()
	}
	if in.group != nil {
		in.group.Close()
	} else {
		control.CloseAll(in.joins)
	}
	for _, fd := range []int{in.leaf, in.pidfd} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// process is the command in the guest's terms, its files not yet set.
func (in *inside) process(o ExecOptions) (*enter.Process, error) {
	user := o.User
	if user == "" {
		user = "0"
	}
	account, err := enter.LookupUser(in.root, user)
	if err != nil {
		return nil, as(ErrConfig, err)
	}
	if account.UID >= in.idSize || account.GID >= in.idSize {
		return nil, as(ErrConfig, fmt.Errorf("cannot use user %q: ids in the guest go up to %d", user, in.idSize-1))
	}
	p := &enter.Process{Args: o.Args, Env: execEnv(account, o), Dir: o.Cwd, UID: account.UID, GID: account.GID,
		Groups: account.Groups, TTY: o.TTY}
	if o.Shell {
		p.Args = append([]string{account.Shell}, o.Args...)
		if len(o.Args) == 0 {
			p.Args = append(p.Args, "-l")
		}
	}
	if len(p.Args) == 0 || p.Args[0] == "" {
		return nil, as(ErrConfig, errors.New("no command"))
	}
	if p.Dir == "" {
		p.Dir = "/"
		if _, err := in.root.Lstat(account.Home); err == nil && account.Home != "" {
			p.Dir = account.Home
		}
	}
	return p, nil
}

// execEnv is a clean environment: nothing of the host's gets in.
func execEnv(a enter.Account, o ExecOptions) []string {
	env := map[string]string{
		"PATH":      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG":      "C.UTF-8",
		"HOME":      a.Home,
		"USER":      a.Name,
		"LOGNAME":   a.Name,
		"SHELL":     a.Shell,
		"container": "sysct",
	}
	if o.TTY {
		env["TERM"] = "linux"
		if o.Term != "" {
			env["TERM"] = o.Term
		}
	}
	maps.Copy(env, o.Env)
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

func (in *inside) start(p *enter.Process) (*enter.Child, error) {
	host := ns.IDRange{Base: in.idBase, Size: in.idSize}.Host()
	policy := seccomp.Policy{Nesting: in.nesting, Privileged: host}
	if in.listen != nil {
		policy.Notify = []string{"sysinfo"}
	}
	filter, err := seccomp.Build(policy)
	if err != nil {
		return nil, err
	}
	t := &enter.Target{PidFD: in.pidfd, LeafFD: in.leaf, JoinFDs: in.joins, Filter: filter, Listen: in.listen != nil, Keep: caps.Default()}
	if r := in.resources; r != nil {
		t.OOMScoreAdj = r.OOMScoreAdj
		for _, limit := range r.Rlimits {
			t.Rlimits = append(t.Rlimits, enter.Rlimit{Resource: limit.Resource, Soft: limit.Soft, Hard: limit.Hard})
		}
	}
	child, err := enter.Start(t, p)
	if err == nil && child.Listener >= 0 {
		in.listen(child.Listener)
	}
	var failed *enter.Error
	if errors.As(err, &failed) {
		switch failed.ExitStatus() {
		case 127:
			return nil, as(ErrNoCommand, fmt.Errorf("%s: command not found", printable(p.Args[0])))
		case 126:
			return nil, as(ErrCommand, fmt.Errorf("cannot execute %s: %w", printable(p.Args[0]), failed.Errno))
		}
	}
	patience := time.Duration(0)
	if errors.Is(err, unix.ENOMEM) {
		patience = endPatience // also what the kernel says in a pid namespace whose init is ending
	}
	return child, in.unlessEnded(err, patience)
}

// endPatience is how long after its first signs the end of an init may show.
const endPatience = 2 * time.Second

// unlessEnded gives an error, or that the guest has ended since its monitor answered: what
// belongs to its init is gone then, in one way or another. The kernel may say so only
// after a while.
func (in *inside) unlessEnded(err error, patience time.Duration) error {
	if err == nil {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(in.pidfd), Events: unix.POLLIN}}
	if n, perr := unix.Poll(fds, int(patience.Milliseconds())); errors.Is(err, unix.ESRCH) || perr == nil && n > 0 {
		return stateError("it has just ended")
	}
	return err
}

// execTTY runs the command on a terminal of the guest's own devpts.
func (in *inside) execTTY(o ExecOptions, p *enter.Process, null *os.File) (int, error) {
	const ttyGroup = 5
	master, slave, err := enter.OpenPTY(in.root, in.idBase+p.UID, in.idBase+ttyGroup)
	if err != nil {
		return 0, err
	}
	defer master.Close()
	fd := int(slave.Fd())
	p.Files = [3]int{fd, fd, fd}
	if err := terminal.FitSize(master, orNull(o.Stdin, null), orNull(o.Stdout, null)); err != nil {
		slave.Close()
		return 0, err
	}
	child, err := in.start(p)
	slave.Close()
	if err != nil {
		return 0, err
	}
	done := make(chan struct{})
	relayed := make(chan error, 1)
	go func() { relayed <- terminal.Relay(master, orNull(o.Stdin, null), orNull(o.Stdout, null), done) }()
	status, err := wait(child, o.Signals)
	close(done)
	return status, errors.Join(err, <-relayed)
}

// wait passes signals on until the command has ended.
func wait(child *enter.Child, signals <-chan os.Signal) (int, error) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case sig := <-signals:
				if s, ok := sig.(unix.Signal); ok {
					child.Signal(s)
				}
			}
		}
	}()
	st, err := child.Wait()
	switch {
	case err != nil:
		return 0, err
	case st.Signaled():
		return 128 + int(st.Signal()), nil
	}
	return st.ExitStatus(), nil
}

func orNull(f, or *os.File) *os.File {
	if f == nil {
		return or
	}
	return f
}

// ParseEnv reads NAME=VALUE pairs.
func ParseEnv(pairs []string) (map[string]string, error) {
	env := map[string]string{}
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" || strings.ContainsRune(p, 0) {
			return nil, as(ErrConfig, fmt.Errorf("cannot use %q as a variable: want NAME=VALUE", p))
		}
		env[k] = v
	}
	return env, nil
}
