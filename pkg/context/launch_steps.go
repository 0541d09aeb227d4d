package context

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
	"github.com/sysct/sysct/pkg/context/caps"
	"github.com/sysct/sysct/pkg/context/inits"
	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/images/store"
)

func (l *launch) socket() error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	l.conn, l.peer = proto.NewConn(p[0]), p[1]
	return l.conn.SetTimeout(stageTimeout)
}

func (l *launch) closeSocket() {
	if l.conn != nil {
		l.conn.Close()
	}
	closeFD(&l.peer)
}

func (l *launch) clone() error {
	c, err := cloneStage(l.spec, l.group.PayloadFD(), l.peer, l.shared, l.warn)
	if err != nil {
		return err
	}
	l.stage = c
	closeFD(&l.peer)
	return guestOOMScore(c.pid)
}

func (l *launch) killStage() {
	if l.stage.pid != 0 {
		l.stage.kill()
		l.stage = cloned{}
	}
}

// mountRoot takes the root that an earlier boot has left where it is shown, if
// it is the same: somebody sits in it, so it can't be made anew.
func (l *launch) mountRoot() error {
	root, ok, err := store.Reuse(l.spec.Root, l.spec.IDs.Base)
	if ok {
		l.root = root
	}
	if ok || err != nil {
		return err
	}
	return l.newRoot()
}

func (l *launch) newRoot() error {
	userns, err := l.stage.userns(l.spec.IDs)
	if err != nil {
		return err
	}
	defer closeFD(&userns)
	if l.root, err = store.OpenRoot(l.spec.Root, userns); err != nil {
		return err
	}
	if err := store.Expose(l.spec.Root, l.root); err != nil {
		return err
	}
	l.shown = true
	// What is shown may be the mount itself (before Linux 6.15, where a detached one
	// can't be cloned), so the guest gets a copy of its own.
	guest, err := store.Clone(l.root)
	if err != nil {
		return err
	}
	closeFD(&l.root)
	l.root = guest
	return nil
}

func (l *launch) dropRoot() {
	closeFD(&l.root)
	if l.shown {
		// The stage may have the root in its mount namespace, and an overlay isn't
		// gone before that is.
		l.killStage()
		store.Unmount(l.spec.Root)
	}
}

// checkInit names an init that can't work before it hangs.
func (l *launch) checkInit() error {
	var places []string
	for _, argv := range initPlaces(l.spec.Init) {
		places = append(places, argv[0])
	}
	return inits.Check(safefs.FromFD(l.root), places) // the descriptor stays ours
}

func (l *launch) makeDev() (err error) {
	var files []string
	if l.dev, files, err = newDev(l.spec.IDs, l.spec.allDevices()); err != nil {
		return err
	}
	return l.openNodes(files)
}

func (l *launch) dropDev() {
	closeFD(&l.dev)
	l.dropNodes()
}

// openSys: with the host's network, sysfs can't be mounted by the guest's user
// namespace, which doesn't own it; the host's is handed in, without what is mounted over it.
func (l *launch) openSys() error {
	if l.spec.Net.Private {
		return nil
	}
	if l.spec.Net.Share != "" {
		return l.openSharedSys()
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/sys", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return &mounts.CallError{Call: "open_tree", Path: "/sys", Err: err}
	}
	l.sys = fd
	return mounts.SetAttr(fd, mounts.AttrReadonly|mounts.AttrNosuid|mounts.AttrNodev|mounts.AttrNoexec)
}

func (l *launch) dropSys() { closeFD(&l.sys) }

func (l *launch) setup() error {
	notify := []string{"reboot"}
	if l.spec.Sysinfo {
		notify = append(notify, "sysinfo")
	}
	prog, err := seccomp.Build(seccomp.Policy{Nesting: l.spec.Nesting, Privileged: l.spec.IDs.Host(), Notify: notify})
	if err != nil {
		return err
	}
	m := proto.Message{Kind: proto.KindSetup, Setup: newSetup(l.spec, hostRelease(), filterBytes(prog), l.views >= 0, l.opt.Memory)}
	m.FDs = []string{proto.FDRoot, proto.FDDev}
	fds := []int{l.root, l.dev}
	if l.sys >= 0 {
		m.FDs, fds = append(m.FDs, proto.FDSys), append(fds, l.sys)
	}
	if l.creds >= 0 {
		m.FDs, fds = append(m.FDs, proto.FDCreds), append(fds, l.creds)
	}
	if l.views >= 0 {
		m.FDs, fds = append(m.FDs, proto.FDViews), append(fds, l.views)
	}
	l.addNodes(&m, &fds)
	for name, fd := range l.nested {
		m.FDs, fds = append(m.FDs, name), append(fds, fd)
		m.Setup.Mounts = append(m.Setup.Mounts, nestedMount(name))
	}
	if l.hookErr != nil {
		m.FDs = append(m.FDs, proto.FDHookOut, proto.FDHookErr)
		fds = append(fds, int(l.hookOut.Write.Fd()), int(l.hookErr.Write.Fd()))
	}
	for i, fd := range l.group.JoinFDs() {
		m.FDs, fds = append(m.FDs, proto.Join(i)), append(fds, fd)
	}
	return l.conn.Send(m, fds...)
}

// filterBytes is the program as the kernel's array of struct sock_filter.
func filterBytes(prog []unix.SockFilter) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&prog[0])), len(prog)*8)
}

// lessMemory is a limit of memory, in bytes, if it is one: what is above the host's is none.
func lessMemory(limit int64) int64 {
	var host unix.Sysinfo_t
	if unix.Sysinfo(&host) == nil && uint64(limit) >= uint64(host.Totalram)*uint64(host.Unit) {
		return 0
	}
	return limit
}

func newSetup(s *Spec, osRelease string, filter []byte, views bool, memory int64) *proto.Setup {
	facts := mounts.Facts{Memory: lessMemory(memory), PrivateNet: s.Net.Private, HostIDs: s.IDs.Host(), Sysfs: s.Net.Private, Pressure: s.Pressure}
	if views {
		facts.Views = s.Views
	}
	setup := &proto.Setup{
		Hostname: s.Hostname,
		Init:     initPlaces(s.Init),
		Env:      initEnv(s, osRelease),
		TTYs:     s.TTYs,
		Loopback: s.Net.Loopback,
		Resolv:   s.Resolv,
		Mounts:   mounts.Plan(facts),
		HostFiles: []proto.HostFile{
			{Name: "container-manager", Content: "sysct\n", Mode: 0o444},
			{Name: "container-uuid", Content: dashed(s.MachineID) + "\n", Mode: 0o444},
			{Name: "os-release", Content: osRelease, Mode: 0o444},
			{Name: "incoming", Mode: 0o700, Dir: true},
		},
		Caps:   uint64(caps.Default()),
		Filter: filter,
		// Who listens learns what the guest asks of the kernel by reboot(2).
		Listener: true,
	}
	for _, r := range s.Rlimits {
		setup.Rlimits = append(setup.Rlimits, proto.Rlimit{Name: r.Name, Resource: r.Resource, Cur: r.Soft, Max: r.Hard})
	}
	setup.Hooks, setup.HookTime, setup.Place = stageHooks(s)
	if len(s.Credentials) > 0 {
		setup.HostFiles = append(setup.HostFiles, proto.HostFile{Name: "credentials", Mode: 0o555, Dir: true})
	}
	return setup
}

func (l *launch) ready() error {
	m, fds, err := l.receive()
	if err != nil {
		return err
	}
	if m.Kind != proto.KindReady {
		return fmt.Errorf("the stage said %q", m.Kind)
	}
	g := &Guest{Pid: l.stage.pid, PidFD: l.stage.pidfd, Console: -1, Notify: -1, Listener: -1}
	l.guest = g
	for name, fd := range map[string]*int{proto.FDConsole: &g.Console, proto.FDNotify: &g.Notify, proto.FDListener: &g.Listener} {
		if got, ok := fds[name]; ok {
			*fd = got
		}
	}
	for i := 1; i <= l.spec.TTYs; i++ {
		if fd, ok := fds[proto.TTY(i)]; ok {
			g.TTYs = append(g.TTYs, fd)
		}
	}
	if g.Console < 0 || g.Notify < 0 || len(g.TTYs) != l.spec.TTYs {
		return fmt.Errorf("the stage handed over %d descriptors of %d", len(fds), l.spec.TTYs+2)
	}
	return nil
}

// resources sets what only the host may set: a hard limit above the caller's own, a score
// below. The stage sets the limits once more, right before init is executed.
func (l *launch) resources() error {
	if err := setOOMScore(l.stage.pid, l.spec.OOMScoreAdj); err != nil {
		return err
	}
	for _, r := range l.spec.Rlimits {
		if err := unix.Prlimit(l.stage.pid, r.Resource, &unix.Rlimit{Cur: r.Soft, Max: r.Hard}, nil); err != nil {
			return fmt.Errorf("rlimits.%s: %w", r.Name, os.NewSyscallError("prlimit", err))
		}
	}
	return nil
}

func (l *launch) closeGuest() {
	if l.guest == nil {
		return
	}
	for _, fd := range append(l.guest.TTYs, l.guest.Console, l.guest.Notify, l.guest.Listener) {
		closeFD(&fd)
	}
}

func (l *launch) beforeExec() error {
	if l.opt.BeforeExec == nil {
		return nil
	}
	return l.opt.BeforeExec(l.guest)
}

// exec lets the stage go on. The end of file is the exec's: the socket is
// closed by it.
func (l *launch) exec() error {
	if err := l.conn.Send(proto.Message{Kind: proto.KindGo}); err != nil {
		return err
	}
	_, _, err := l.receive()
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
