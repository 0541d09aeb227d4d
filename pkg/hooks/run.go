package hooks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Error is a hook that failed.
type Error struct {
	Hook string // LXC's name of it
	Path string // of the program
	Err  error  // how, with the last line of its standard error
}

func (e *Error) Error() string { return fmt.Sprintf("%s hook %s: %v", e.Hook, e.Path, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Runner runs hooks on the host.
type Runner struct {
	Plan   *Plan
	ID     string            // marks the processes; see KillMarked
	Guests string            // the directory with the guests' directories: nothing of their trees is run
	Say    func(line string) // gets what they print; in another goroutine
}

// Run runs the commands of the hook that c names, one after the other, until one fails:
// *Error. When ctx ends, or a command has had its time, it is killed with all that it has
// started. What a command leaves running that ended well, goes on.
func (r *Runner) Run(ctx context.Context, c Context) error {
	c.ConfigFile, c.ConsoleLog = r.Plan.ConfigFile, r.Plan.ConsoleLog
	for _, argv := range r.Plan.Commands[c.Hook] {
		if err := r.command(ctx, argv, &c); err != nil {
			return &Error{Hook: c.Hook, Path: argv[0], Err: err}
		}
	}
	return nil
}

func (r *Runner) command(ctx context.Context, argv []string, c *Context) error {
	if err := Check(argv[0], r.Guests); err != nil {
		return err
	}
	say := func(line string) { r.Say(c.Hook + " hook " + argv[0] + ": " + line) }
	stdout, err := NewOutput(say)
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := NewOutput(say)
	if err != nil {
		return err
	}
	err = r.process(ctx, argv, c, stdout.Write, stderr.Write)
	if last := stderr.Close(); err != nil && last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// process runs one, with a session of its own.
func (r *Runner) process(ctx context.Context, argv []string, c *Context, stdout, stderr *os.File) error {
	stdin, err := filled(c.JSON())
	if err != nil {
		return err
	}
	defer stdin.Close()
	// Nothing that this process was itself started with.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return os.NewSyscallError("close_range", err)
	}
	// The death of the thread that started it is what kills it if this process dies.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pidfd := -1
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: "/", Env: c.Environ(r.ID), Files: []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return Explain(argv[0], err)
	}
	defer unix.Close(pidfd)
	// A monitor is better protected from the OOM killer than what it runs.
	os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("0"), 0) // harmless if it fails
	late := r.await(ctx, pid, pidfd)
	return errors.Join(late, ended(pid, late != nil))
}

// await waits for the end of a command, and brings it about when its time is over.
func (r *Runner) await(ctx context.Context, pid, pidfd int) error {
	deadline := time.Now().Add(r.Plan.Timeout)
	for {
		if Exited(pidfd, pollEvery) {
			return nil
		}
		switch {
		case ctx.Err() != nil:
			r.kill(pid)
			return fmt.Errorf("killed: %w", context.Cause(ctx))
		case time.Now().After(deadline):
			r.kill(pid)
			return fmt.Errorf("killed: it did not end in %v", r.Plan.Timeout)
		}
	}
}

// pollEvery is how often it is looked whether a command isn't wanted any more.
const pollEvery = 50 * time.Millisecond

// soon is when a pipe has been read that nobody writes into any more.
func soon() time.Time { return time.Now().Add(200 * time.Millisecond) }

// Exited waits for the end of a pidfd's process, as long as that.
func Exited(pidfd int, wait time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(wait.Milliseconds()))
	return err == nil && n > 0
}

// ended reaps a command and words how it ended; nothing if it was killed by us.
func ended(pid int, killed bool) error {
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	if killed {
		return nil
	}
	return Status(st)
}

// Status words a wait status other than success.
func Status(st unix.WaitStatus) error {
	switch {
	case st.Signaled():
		return fmt.Errorf("killed by %s", unix.SignalName(st.Signal()))
	case st.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", st.ExitStatus())
	}
	return nil
}

// filled is a file to read that from.
func filled(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("sysct-hook", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "hook")
	if _, err = f.Write(data); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
