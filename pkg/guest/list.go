package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// ListOptions say what is to be known of the guests.
type ListOptions struct {
	Brief bool // names and states, and what is broken: the rest may be missing
	// Figures are what is read of what they use; nil: all. It is dear for hundreds.
	Figures *limits.Want
	// Network is what is read of their networks; nil: all.
	Network *NetWant
	// Names are the guests to list, none: all. One with any of *?[ is a pattern of
	// path.Match, which may fit none.
	Names []string
}

// want is what is read of the guests' use.
func (o *ListOptions) want() limits.Want {
	switch {
	case o.Brief:
		return limits.WantNothing
	case o.Figures != nil:
		return *o.Figures
	}
	return limits.WantAll
}

// network is what is read of the guests' networks.
func (o *ListOptions) network() NetWant {
	switch {
	case o.Brief:
		return NetNothing
	case o.Network != nil:
		return *o.Network
	}
	return NetAll
}

// List gives all guests, sorted by name. A guest whose state can't be read is in
// it with Error set; it doesn't hide the others. No monitor is asked: a stopped
// one can't delay the list. ErrNoGuest if a guest that is named isn't there.
func (m *Manager) List(ctx context.Context, o ListOptions) ([]Info, error) {
	names, err := m.Names()
	if err == nil && len(o.Names) > 0 {
		names, err = m.fitting(names, o.Names)
	}
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	// Groups and directories at the same time: each is half of the work.
	var sights map[string]limits.Sight
	looked := make(chan error, 1)
	go func() {
		var err error
		sights, err = m.sights(names, o.want())
		looked <- err
	}()
	list := make([]Info, 0, len(names))
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		info := m.stored(name)
		if info.Error != nil && !m.isGuest(name) {
			continue // it was destroyed meanwhile
		}
		if !o.Brief {
			m.configured(&info)
		}
		list = append(list, info)
	}
	if err := errors.Join(<-looked, ctx.Err()); err != nil {
		return nil, err
	}
	for i := range list {
		m.observe(sights[list[i].Name], boot, !o.Brief, &list[i])
	}
	m.lookAtNetworks(ctx, pointers(list), o.network())
	return list, nil
}

// fitting gives those of all names that words name.
func (m *Manager) fitting(all, words []string) ([]string, error) {
	for _, word := range words {
		if !strings.ContainsAny(word, "*?[") {
			if err := m.check(word); err != nil {
				return nil, fmt.Errorf("%s: %w", printable(word), err)
			}
		} else if _, err := path.Match(word, ""); err != nil {
			return nil, as(ErrConfig, fmt.Errorf("cannot use pattern %q: %w", word, err))
		}
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return !slices.ContainsFunc(words, func(word string) bool {
			fits, _ := path.Match(word, name)
			return fits
		})
	}), nil
}

// Info gives one guest. ErrNoGuest if there is none.
func (m *Manager) Info(ctx context.Context, name string) (*Info, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	sights, err := m.sights([]string{name}, limits.WantAll)
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	info := m.stored(name)
	if info.Error != nil && !m.isGuest(name) {
		return nil, m.noGuest(name) // it was destroyed meanwhile
	}
	m.configured(&info)
	m.observe(sights[name], boot, true, &info)
	if run, err := m.status(ctx, name); err == nil {
		if run != nil && run.Pid != 0 && ranWithHostIDs(run) {
			info.IDBase, info.IDSize = &run.IDBase, &run.IDSize
		}
		info.live(run)
	} else if errors.Is(err, control.ErrTimeout) {
		m.opt.Warn("its monitor does not answer; the figures are the kernel's and the last it wrote")
	}
	m.lookAtNetworks(ctx, []*Info{&info}, NetAll)
	if sights[name].Populated {
		info.Published = m.published(name)
	}
	return &info, nil
}

// status asks the guest's monitor, two seconds at most.
func (m *Manager) status(ctx context.Context, name string) (*state.Run, error) {
	conn, err := m.dial(ctx, name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var resp control.Response
	fds, err := conn.Call(ctx, control.Request{Op: control.OpStatus}, &resp)
	control.CloseAll(fds)
	if err != nil {
		return nil, err
	}
	return resp.Run, nil
}

// dial connects to the guest's monitor: control.ErrNoMonitor if none runs.
func (m *Manager) dial(ctx context.Context, name string) (*control.Conn, error) {
	dir, err := unix.Open(m.dirs.Run, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, control.ErrNoMonitor
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", m.dirs.Run, err)
	}
	defer unix.Close(dir)
	return control.Dial(ctx, dir, name)
}

// stored is what the guest's directory says of it.
func (m *Manager) stored(name string) Info {
	info := Info{Name: name, State: state.Stopped, Rootfs: m.Rootfs(name)}
	id, err := m.identity(name)
	if err != nil {
		info.broken(err)
		return info
	}
	info.Template, info.Image, info.Backend = &id.Template, &id.Image, &id.Backend
	info.CreatedAt, info.MachineID = &id.CreatedAt, &id.MachineID
	info.IDBase, info.IDSize = &id.IDBase, &id.IDSize
	return info
}

// configured adds what the guest's configuration says of its start, if it can be read.
func (m *Manager) configured(info *Info) {
	if cfg, err := m.config(info.Name); err == nil {
		info.Autostart, info.Groups = &cfg.Autostart.Enabled, append([]string{}, cfg.Autostart.Groups...)
		if m.units {
			noted, _ := m.readMirror() // what can't be read says nothing against the configuration
			on := enabledNow(info.Name, *info.Autostart, linked(info.Name), noted)
			info.Autostart = &on
		}
	}
}

// identity reads a guest's state.json and checks that it is this guest's.
func (m *Manager) identity(name string) (*state.Identity, error) {
	fd, err := m.openDir(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	id, err := state.ReadIdentity(fd)
	if err != nil {
		return nil, as(ErrBroken, err)
	}
	if id.Name != name && m.renamedTo(id.Name) == name {
		id.Name = name // its new name isn't written down everywhere yet
	}
	if id.Name != name {
		return nil, as(ErrBroken, fmt.Errorf("state.json is of guest %q", id.Name))
	}
	return id, nil
}

// observe adds what the kernel says, and the facts of this life that the
// monitor wrote. Whether the guest lives is the kernel's word alone.
func (m *Manager) observe(sight limits.Sight, boot string, facts bool, info *Info) {
	run, err := m.readRunOf(info.Name, boot)
	if err != nil && info.Error == nil {
		info.broken(err)
	}
	if !sight.Populated {
		if run != nil {
			info.ended(run)
		}
		return
	}
	info.State = state.Running
	switch {
	case run == nil:
	case facts:
		info.live(run)
	default:
		info.State = run.State
	}
	if sight.Frozen {
		info.State = state.Frozen
	}
	if sight.Stats != nil {
		info.Usage = newUsage(sight.Stats)
	}
}

// readRun reads the guest's run.json if it is of this boot of the host.
func (m *Manager) readRun(name string) (*state.Run, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	return m.readRunOf(name, boot)
}

// readRunOf is readRun for many guests: boot is the host's boot id.
func (m *Manager) readRunOf(name, boot string) (*state.Run, error) {
	fd, err := unix.Open(m.runDir(name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil // it was never started, or not since the host's boot
	}
	defer unix.Close(fd)
	run, err := state.ReadRun(fd)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if run.BootID != boot {
		return nil, nil
	}
	return run, nil
}

// bootID is the host's. Source: proc_sys_kernel(5).
func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot read boot id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// live fills in the facts of a life that goes on.
func (info *Info) live(run *state.Run) {
	if run == nil {
		return
	}
	if run.State == state.Stopped {
		info.ended(run)
		return
	}
	info.life(run)
	if run.MonitorPid > 0 && isMonitor(run.MonitorPid) {
		info.MonitorPid = &run.MonitorPid
	}
	info.exit(run)
}

// life fills in what needs no look at the monitor.
func (info *Info) life(run *state.Run) {
	info.State = run.State
	if run.Pid > 0 {
		info.Pid = &run.Pid
	}
	info.Ready, info.Boots = &run.Ready, &run.Boots
	if !run.StartedAt.IsZero() {
		started := run.StartedAt.UTC().Truncate(time.Millisecond)
		info.StartedAt = &started
	}
}

// ended fills in what is known of a life that is over.
func (info *Info) ended(run *state.Run) {
	info.State = state.Stopped
	if run.State == state.Starting {
		info.State = state.Starting
	}
	info.exit(run)
}

func (info *Info) exit(run *state.Run) {
	if e := run.Exit; e != nil {
		info.Exit = &ExitInfo{Code: e.Code, Reason: e.Reason, At: &e.At}
		if e.Signal != "" {
			info.Exit.Signal = &e.Signal
		}
	}
}

// broken notes why the guest's state can't be read.
func (info *Info) broken(err error) {
	text := oneLine(err)
	info.Error = &text
}

// isMonitor tells whether a pid that was written down is still a monitor's: by its
// name or, while it executes itself anew and hasn't taken that again, by its arguments.
func isMonitor(pid int) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	comm, err := os.ReadFile(proc + "/comm")
	if err == nil && strings.TrimSpace(string(comm)) == "sysct-monitor" {
		return true
	}
	args, err := os.ReadFile(proc + "/cmdline")
	return err == nil && strings.HasPrefix(string(args), "sysct-helper\x00monitor\x00")
}

// oneLine is an error's text without its hints.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
