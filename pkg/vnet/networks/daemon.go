package networks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long a dnsmasq that is told to end has, and how long a killed one is waited for.
const (
	stopPatience = 2 * time.Second
	killPatience = 10 * time.Second
	// groupPatience is for a control group that nobody is in any more to be removable.
	groupPatience = 500 * time.Millisecond
)

// daemon is a running dnsmasq that is known to be the network's.
type daemon struct{ pid, fd int }

// openDaemon looks for the process that wrote a pid file. A pid may be another process's by
// now, so it is held by a descriptor first, and then has to have our file on its command
// line, which no other has. Nil: there is none.
func openDaemon(pidFile, config string) (*daemon, error) {
	text, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read pid of dnsmasq: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return nil, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open process %d: %w", pid, err)
	}
	p := &daemon{pid, fd}
	if !isDNS(pid, config) || p.ended(0) {
		p.close()
		return nil, nil
	}
	return p, nil
}

// isDNS says whether a process is a dnsmasq with this configuration.
func isDNS(pid int, config string) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	words := bytes.Split(bytes.TrimRight(cmdline, "\x00"), []byte{0})
	return len(words) > 1 && filepath.Base(string(words[0])) == "dnsmasq" &&
		slices.ContainsFunc(words[1:], func(w []byte) bool { return string(w) == configFlag+config })
}

const configFlag = "--conf-file="

func (p *daemon) close() { unix.Close(p.fd) }

func (p *daemon) signal(sig unix.Signal) error {
	if err := unix.PidfdSendSignal(p.fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot signal dnsmasq %d: %w", p.pid, err)
	}
	return nil
}

// ended waits for the process's end, so long at most.
func (p *daemon) ended(patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for {
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(0, time.Until(deadline)).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// startDaemon runs dnsmasq in the background, in a control group of its own: whoever
// needed the network first, a monitor or a shell, may be killed with all its group.
func (d *dns) startDaemon(ctx context.Context, program string) error {
	attr := &syscall.SysProcAttr{Setsid: true}
	group, err := d.makeGroup()
	if err == nil {
		defer unix.Close(group)
		attr.UseCgroupFD, attr.CgroupFD = true, group
	}
	for deadline := time.Now().Add(releasePatience); ; time.Sleep(releasePause) {
		err = run(ctx, attr, program, configFlag+d.configPath())
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == networkTrouble && time.Now().Before(deadline) {
			continue // one that was killed is gone before the kernel has closed its sockets
		}
		if err != nil {
			return fmt.Errorf("cannot start dnsmasq for network %s: %w", d.net.Name, err)
		}
		return nil
	}
}

// networkTrouble is dnsmasq's exit status if it can't have an address or a port. Source:
// dnsmasq(8).
const networkTrouble = 2

// How long an address may be somebody's who has just ended.
const (
	releasePatience = 3 * time.Second
	releasePause    = 50 * time.Millisecond
)

// stopDaemon ends the network's dnsmasq, if it runs.
func (d *dns) stopDaemon(context.Context) error {
	p, err := openDaemon(d.pidPath(), d.configPath())
	if err != nil || p == nil {
		return errors.Join(err, d.removeGroup())
	}
	defer p.close()
	if err := p.signal(unix.SIGTERM); err != nil {
		return err
	}
	if !p.ended(stopPatience) {
		if err := p.signal(unix.SIGKILL); err != nil {
			return err
		}
		if !p.ended(killPatience) {
			return fmt.Errorf("cannot end dnsmasq %d of network %s", p.pid, d.net.Name)
		}
	}
	return d.removeGroup()
}

// groupName is the control group of an instance's dnsmasqs, beside those of its guests.
const groupName = ".dns"

// base is the name of the instance's control groups.
func (s *Store) base() string {
	if s.Tag == "" {
		return "sysct"
	}
	return "sysct-" + s.Tag
}

// groupDir is the group's directory in the v2 hierarchy.
func (s *Store) groupDir() (string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(info)) {
		left, right, ok := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if ok && len(fields) > 4 && strings.HasPrefix(right, "cgroup2 ") {
			return filepath.Join(fields[4], s.base(), groupName), nil
		}
	}
	return "", fs.ErrNotExist
}

// makeGroup makes it, to be born in, and opens it.
func (s *Store) makeGroup() (int, error) {
	dir, err := s.groupDir()
	if err != nil {
		return -1, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return -1, err
	}
	return unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// removeGroup removes it, and the instance's if nothing else is there.
func (s *Store) removeGroup() error {
	dir, err := s.groupDir()
	if err != nil {
		return nil // there is no v2 hierarchy, and no group
	}
	for deadline := time.Now().Add(groupPatience); ; time.Sleep(time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			break
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("cannot remove control group of dnsmasq: %w", err)
		}
		// Another network has its dnsmasq there, or what has just ended is still counted:
		// Linux 6.18 and later do so for a moment.
		if procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err != nil || len(procs) > 0 || time.Now().After(deadline) {
			return nil
		}
	}
	os.Remove(filepath.Dir(dir))
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
