package guest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// handOver is the first number of the descriptors that a monitor is executed with. The
// runtime of this process has the low ones.
const handOver = 128

// Inherits says whether this process was given descriptors that a monitor before it has
// left: it is to become [Successor].
func Inherits() bool {
	n := os.Getenv("LISTEN_FDS")
	return n != "" && n != "0"
}

// Successor becomes the monitor of a guest that runs, with the first of the helpers that
// can be executed. It needs no configuration and no state, and returns only if it can't.
func Successor(name string, helpers ...string) error {
	err := fmt.Errorf("cannot find the helper %s", helperName)
	for _, helper := range append(helpers, installed()...) {
		if _, serr := os.Stat(helper); serr == nil {
			err = execMonitor(helper, name, nil)
		}
	}
	return err
}

// installed are where a package and make install put the helper.
func installed() []string {
	var paths []string
	for _, dir := range libDirs() {
		paths = append(paths, filepath.Join(dir, helperName))
	}
	return paths
}

// Monitor becomes the guest's monitor; it is what the guest's service executes to start
// it. It returns only if it can't.
func (m *Manager) Monitor(ctx context.Context, name string) error {
	if err := m.check(name); err != nil {
		return err
	}
	if !m.units {
		return stateError("guests are no units here: sysct start %s starts it", name)
	}
	// A stop that comes before the monitor is there, which sees to it, ends this process.
	ctx, deaf := signal.NotifyContext(ctx, monitor.SigStop)
	defer deaf()
	helper, err := m.helper()
	if err != nil {
		return err
	}
	if err := m.startRequired(ctx, name); err != nil {
		return err
	}
	lock, plan, err := m.prepareStart(ctx, name, nil) // the lock until the execution
	if err != nil {
		return err
	}
	defer lock.Release()
	// Before the verbs' lock is freed by the execution: nobody is to find the guest stopped
	// in between.
	dir, err := monitor.LockDir(m.dir(name))
	if err != nil {
		return err
	}
	fd, err := monitor.WritePlan(plan)
	if err != nil {
		return err
	}
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return os.NewSyscallError("close_range", err)
	}
	for i, fd := range []int{fd, dir} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, handOver+i); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	if ctx.Err() != nil {
		return stateError("it was stopped before it had begun to start")
	}
	return execMonitor(helper, name, fdstore.EnvironAt(handOver, []string{monitor.PlanFD, monitor.DirFD}))
}

// execMonitor executes the helper in place of this process, which is the service's main
// one and stays that.
func execMonitor(helper, name string, more []string) error {
	var env []string
	for _, kv := range os.Environ() {
		// Who was told of descriptors by its pid is the same process.
		if !strings.HasPrefix(kv, "GO") {
			env = append(env, kv)
		}
	}
	env = append(append(env, epoll.RuntimeEnv()...), more...)
	unblock := monitor.BlockStop()
	err := syscall.Exec(helper, []string{helperName, "monitor", name}, env)
	unblock()
	return fmt.Errorf("cannot run %s as monitor of %s: %w", helper, name, err)
}

const (
	// scopePatience is how long systemd may take to make a scope.
	scopePatience = time.Minute
	// stopLook is how often it is looked meanwhile whether the guest's service is stopped.
	stopLook = 500 * time.Millisecond
)

var errStopping = errors.New("its service is being stopped")

// unlessStopped gives a context that ends after scopePatience, or when the guest's service is
// being stopped: systemd makes no scope then that comes before the service, until that has
// ended, which waits for this.
func unlessStopped(ctx context.Context, conn *systemd.Conn, name string) (context.Context, func()) {
	bounded, end := context.WithTimeout(ctx, scopePatience)
	bounded, cancel := context.WithCancelCause(bounded)
	go func() {
		for {
			select {
			case <-bounded.Done():
				return
			case <-time.After(stopLook):
			}
			if active, err := conn.ActiveState(bounded, UnitName(name)); err == nil && active == "deactivating" {
				cancel(errStopping)
			}
		}
	}()
	return bounded, func() {
		cancel(nil)
		end()
	}
}

// Scope makes the scope of a guest's boot, with the calling process in it, and stays until
// in ends: see monitor's scope. It tells out when the scope is there.
func (m *Manager) Scope(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	if err := m.check(name); err != nil {
		return err
	}
	backend, err := detect.Delegated()
	if err != nil {
		return err
	}
	cfg, err := m.config(name)
	if err != nil {
		cfg = spec.Default() // a guest that reboots does so with what it was started with
	}
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var late bytes.Buffer // the first line of all is to be "ready"
	unregister(ctx, conn, name, &late)
	bounded, cancel := unlessStopped(ctx, conn, name)
	err = conn.StartScope(bounded, systemd.Scope{
		Name: scopeName(name), Description: "Guest " + name, Slice: guestSlice,
		Before: []string{UnitName(name)}, Pid: os.Getpid(),
		// The monitor writes them too, but systemd would take them for changes by somebody else.
		Shares: systemd.Shares{CPUWeight: cfg.Limits.CPUWeight, IOWeight: cfg.Limits.IO.Weight, MemoryMin: number(cfg.Limits.MemoryMin)},
	})
	stopping := errors.Is(context.Cause(bounded), errStopping)
	if cancel(); stopping {
		return errStopping
	}
	if err != nil {
		return err
	}
	if err := backend.Enter(guestSlice, scopeName(name)); err != nil {
		return err
	}
	if _, err := io.WriteString(out, "ready\n"+late.String()); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		pid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "leader "))
		if err != nil {
			return fmt.Errorf("cannot understand %q: %w", lines.Text(), err)
		}
		if err := m.register(ctx, conn, name, pid); err != nil {
			fmt.Fprintln(out, err)
		}
	}
	return lines.Err()
}
