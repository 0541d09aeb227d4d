package guest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// handOver is the first number of the descriptors that a monitor is executed with. The
// runtime of this process has the low ones.
const handOver = 128

// Monitor becomes the guest's monitor; it is what the guest's service executes. With
// descriptors that a monitor before it has left, it goes on with these; else it starts the
// guest. It returns only if it can't.
func (m *Manager) Monitor(ctx context.Context, name string) error {
	if err := m.check(name); err != nil {
		return err
	}
	helper, err := m.helper()
	if err != nil {
		return err
	}
	if n := os.Getenv("LISTEN_FDS"); n != "" && n != "0" {
		return execMonitor(helper, name, nil)
	}
	lock, err := m.lock(ctx, name) // until the execution
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := privateDir(m.dirs.Log); err != nil {
		return err
	}
	if err := m.settle(ctx, name); err != nil {
		return err
	}
	plan, err := m.startPlan(ctx, name)
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
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, handOver); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	return execMonitor(helper, name, fdstore.EnvironAt(handOver, []string{monitor.PlanFD}))
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
	err := syscall.Exec(helper, []string{helperName, "monitor", name}, env)
	return fmt.Errorf("cannot run %s as monitor of %s: %w", helper, name, err)
}

// scopePatience is how long systemd may take to make a scope.
const scopePatience = time.Minute

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
	conn, err := m.connectSystemd(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var late bytes.Buffer // the first line of all is to be "ready"
	unregister(ctx, conn, name, &late)
	bounded, cancel := context.WithTimeout(ctx, scopePatience)
	defer cancel()
	err = conn.StartScope(bounded, systemd.Scope{
		Name: scopeName(name), Description: "Guest " + name, Slice: guestSlice,
		Before: []string{UnitName(name)}, Pid: os.Getpid(),
	})
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
