package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is a running one, known by its directory: several processes may use it.
type Machine struct {
	Dir   string
	ended chan struct{} // closed when its QEMU has ended; nil for a machine that another process started
	cmd   *exec.Cmd
}

// Options say how a machine is started.
type Options struct {
	Dir    string  // for its sockets; made, and short, because of them
	Drives []Drive // plugged in when it runs
	Stay   bool    // it outlives the process that starts it
}

// patience is the time that a machine gets to do what it is known to do in seconds, on a host with other things to do.
const patience = 5 * time.Minute

// Load starts a machine from a Base's saved state and returns when its agent answers and its drives are there.
func Load(ctx context.Context, b *Base, o Options) (*Machine, error) {
	args := append(machineArgs(b.base), hostArgs(o.Dir, b.disk(), false, o.Drives)...)
	args = append(args, "-incoming", "exec:cat "+b.state())
	m, err := launch(o, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the machine takes too long to come up"))
	defer cancel()
	ctx, stop := m.whileItLives(ctx)
	defer stop()
	if err := m.resume(ctx, o.Drives); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot load a machine: %w", err), m.Log(), m.Stop())
	}
	return m, nil
}

// launch starts QEMU. It ends with this process, however that ends, unless it is to stay.
func launch(o Options, args []string) (*Machine, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	m := &Machine{Dir: o.Dir, ended: make(chan struct{}), cmd: exec.Command(emulator, args...)}
	log, err := os.Create(m.path("log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := m.cmd
	cmd.Env = append(os.Environ(), "TMPDIR=/var/tmp") // for what is written to snapshots, without a name
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	started := make(chan error)
	go func() {
		if !o.Stay {
			runtime.LockOSThread() // the signal comes when this thread ends
			cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
			close(m.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", emulator, err)
	}
	return m, os.WriteFile(m.path("pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

func (m *Machine) path(name string) string { return filepath.Join(m.Dir, name) }

// Console is the file with what the machine showed on its serial console.
func (m *Machine) Console() string { return m.path("console") }

// resume waits for the state to be loaded, plugs in the drives and gives the machine its time.
func (m *Machine) resume(ctx context.Context, drives []Drive) error {
	q, err := dialQMP(ctx, m.Dir)
	if err != nil {
		return err
	}
	defer q.conn.Close()
	if err := q.migrated(ctx); err != nil {
		return err
	}
	if err := q.do("cont", nil, nil); err != nil {
		return err
	}
	for _, d := range drives {
		device := map[string]any{"driver": "virtio-blk-pci", "drive": d.Name, "serial": d.Name, "id": "dev-" + d.Name}
		if err := q.do("device_add", device, nil); err != nil {
			return err
		}
	}
	return m.settle(ctx, drives)
}

// Reset is what the button of that name does: the system has no chance to write anything.
func (m *Machine) Reset(ctx context.Context) error {
	q, err := dialQMP(ctx, m.Dir)
	if err != nil {
		return err
	}
	defer q.conn.Close()
	return q.do("system_reset", nil, nil)
}

// Log gives what QEMU complained about, as an error.
func (m *Machine) Log() error {
	text, err := os.ReadFile(m.path("log"))
	if err != nil || len(text) == 0 {
		return err
	}
	return errors.New(strings.TrimSpace(string(text)))
}

// Stop ends a machine and removes its directory.
func (m *Machine) Stop() error {
	pid, err := m.pid()
	if err != nil {
		return err
	}
	if m.owns(pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	if m.ended != nil {
		<-m.ended
	}
	return os.RemoveAll(m.Dir)
}

// Runs tells whether the machine's QEMU is there.
func (m *Machine) Runs() bool {
	pid, err := m.pid()
	return err == nil && m.owns(pid)
}

func (m *Machine) pid() (int, error) {
	text, err := os.ReadFile(m.path("pid"))
	if err != nil {
		return 0, fmt.Errorf("no machine is in %s: %w", m.Dir, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Used gives the time of the host's processors that a machine took which this process started and stopped.
func (m *Machine) Used() time.Duration {
	<-m.ended
	return m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime()
}

// whileItLives gives a context that ends with the machine.
func (m *Machine) whileItLives(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-m.ended:
			cancel(errors.New("qemu has ended"))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// owns tells whether a process is this machine's and not another one that got its number.
func (m *Machine) owns(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), "unix:"+m.path("qmp")+",")
}
