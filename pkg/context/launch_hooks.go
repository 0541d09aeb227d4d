package context

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/hooks"
)

// inGuest are the hooks that the stage runs.
func inGuest() []string { return []string{hooks.PreMount, hooks.Mount, hooks.Autodev, hooks.Start} }

// inHostTree are those of them that see the host's tree, with the guest's root in it.
func inHostTree() []string { return []string{hooks.PreMount, hooks.Mount, hooks.Autodev} }

// prepareHooks gets ready for those that the stage runs: it takes what they print, waits
// as long as they may take, and ends them if the launch is given up.
func (l *launch) prepareHooks() (err error) {
	if !l.spec.Hooks.Has(inGuest()...) {
		return nil
	}
	for _, name := range inHostTree() {
		for _, argv := range l.spec.Hooks.Commands[name] {
			if err := hooks.Check(argv[0], filepath.Dir(l.spec.Root.GuestDir)); err != nil {
				return &StepError{Step: proto.HookStep(name), Call: "run", Path: argv[0], Err: err}
			}
		}
	}
	if l.hookOut, err = hooks.NewOutput(l.say); err != nil {
		return err
	}
	if l.hookErr, err = hooks.NewOutput(l.say); err != nil {
		return err
	}
	l.watchCancel()
	return l.conn.SetTimeout(stageTimeout + l.spec.Hooks.Most(inGuest()...).Microseconds())
}

func (l *launch) say(line string) {
	if l.opt.Say != nil {
		l.opt.Say("hook in the guest: " + line)
	}
}

// watchCancel kills the stage, and with it all of its namespace, when the launch is given
// up. It has a pidfd of its own: the stage's is closed when the stage is taken back.
func (l *launch) watchCancel() {
	if l.opt.Cancel == nil {
		return
	}
	pidfd, err := unix.FcntlInt(uintptr(l.stage.pidfd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return
	}
	done := make(chan struct{})
	l.unwatch = func() { close(done) }
	go func() {
		defer unix.Close(pidfd)
		select {
		case <-l.opt.Cancel:
			unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		case <-done:
		}
	}()
}

func (l *launch) dropHooks() {
	l.unwatch()
	l.unwatch = func() {}
	for _, o := range []**hooks.Output{&l.hookOut, &l.hookErr} {
		if *o != nil {
			(*o).Close()
			*o = nil
		}
	}
}

// withOutput adds the last line that a hook has printed to the reason why it failed.
func (l *launch) withOutput(step string, cause error) error {
	if l.hookErr == nil || !strings.HasSuffix(step, proto.HookStep("")) {
		return cause
	}
	last := l.hookErr.Close()
	l.hookErr = nil
	if last == "" {
		return cause
	}
	return fmt.Errorf("%w: %s", cause, last)
}

func (l *launch) startHost() error {
	if l.opt.StartHost == nil {
		return nil
	}
	return l.opt.StartHost(l.stage.pid)
}

// stageHooks is what the stage is told of its hooks.
func stageHooks(s *Spec) (list []proto.Hook, limit uint64, place string) {
	for _, name := range inGuest() {
		if !s.Hooks.Has(name) {
			continue
		}
		c := s.HookContext(name)
		if name == hooks.Start {
			c.RootfsMount = "/"
		}
		list = append(list, proto.Hook{Name: name, Commands: s.Hooks.Commands[name], Env: c.Environ(""), Stdin: string(c.JSON())})
	}
	if s.Hooks.Has(inHostTree()...) {
		place = s.rootfs()
	}
	return list, uint64(s.Hooks.Timeout / time.Millisecond), place
}

// rootfs is where the host shows the guest's root.
func (s *Spec) rootfs() string { return filepath.Join(s.Root.GuestDir, "rootfs") }

// HookContext is what a hook of that name is told of the guest.
func (s *Spec) HookContext(name string) hooks.Context {
	rootfs := s.rootfs()
	return hooks.Context{Hook: name, Name: s.Name, ConfigFile: s.Hooks.ConfigFile, ConsoleLog: s.Hooks.ConsoleLog,
		RootfsPath: rootfs, RootfsMount: rootfs, IDBase: s.IDs.Base, IDSize: s.IDs.Size}
}

func (l *launch) makeCreds() (err error) {
	if len(l.spec.Credentials) > 0 {
		l.creds, err = newCredentials(l.spec.Credentials, l.spec.IDs)
	}
	return err
}

func (l *launch) dropCreds() { closeFD(&l.creds) }
