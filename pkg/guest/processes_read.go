package guest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// ticks is the unit of times in /proc/PID/stat: USER_HZ, 100 wherever Go runs.
	ticks = 100
	// maxArgs is how much of a command line is read, in bytes.
	maxArgs = 4096
	// argsPatience is how long it may take. The text is in the process's own memory, and a
	// guest that can mount a FUSE file system can have that memory come from there.
	argsPatience = time.Second
)

// bootTime is when the host was started. Source: proc_stat(5), btime.
func bootTime() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read the host's boot time: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return time.Unix(n, 0).UTC(), err
		}
	}
	return time.Time{}, errors.New("cannot read the host's boot time: /proc/stat has no btime")
}

// read reads a process by its open directory. An error says that it has ended.
func (s *procScan) read(proc int) (*Process, error) {
	stat, err := readProc(proc, "stat")
	if err != nil {
		return nil, err
	}
	status, err := readProc(proc, "status")
	if err != nil {
		return nil, err
	}
	p := &Process{Guest: s.guest}
	if err := errors.Join(p.stat(stat, s.boot), p.status(status)); err != nil {
		return nil, err
	}
	if id := p.HostUID - s.base; p.HostUID >= s.base && id < s.size {
		p.UID = &id
	}
	if p.State != "Z" && !s.deaf {
		p.Args, s.deaf = readArgs(proc)
	}
	return p, nil
}

func readProc(proc int, name string) (string, error) {
	fd, err := unix.Openat(proc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buf := make([]byte, 8192)
	n, err := unix.Read(fd, buf)
	return string(buf[:max(n, 0)]), err
}

// stat reads `PID (NAME) S PPID …`: the name may have brackets and spaces in it. Source:
// proc_pid_stat(5), whose fields count from 1.
func (p *Process) stat(text string, boot time.Time) (err error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return errors.New("cannot parse stat: no name")
	}
	p.Name = text[open+1 : end]
	fields := strings.Fields(text[end+1:])
	if len(fields) < 22 {
		return errors.New("cannot parse stat: too short")
	}
	number := func(field int) (n int64) {
		n, parseErr := strconv.ParseInt(fields[field-3], 10, 64)
		err = errors.Join(err, parseErr)
		return n
	}
	p.State, p.Parent, p.Threads = fields[0], int(number(4)), int(number(20))
	p.CPU = float64(number(14)+number(15)) / ticks
	p.StartedAt = boot.Add(time.Duration(number(22)) * time.Second / ticks)
	return err
}

// status reads who the process is, and its memory. Its pids are one for each pid namespace that it is in,
// from the reader's down: the second one is the guest's.
func (p *Process) status(text string) error {
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		switch {
		case key == "Pid" && len(words) == 1:
			pid, err := strconv.Atoi(words[0])
			if err != nil {
				return err
			}
			p.Pid = pid
		case key == "Uid" && len(words) == 4:
			uid, err := strconv.ParseUint(words[1], 10, 32) // the effective one
			if err != nil {
				return err
			}
			p.HostUID = uint32(uid)
		case key == "VmRSS" && len(words) == 2: // that in stat lags behind (Linux 6.2)
			kib, err := strconv.ParseInt(words[0], 10, 64)
			if err != nil {
				return err
			}
			p.Memory = kib << 10
		case key == "NSpid" && len(words) > 1:
			pid, err := strconv.Atoi(words[1])
			if err != nil {
				return err
			}
			p.GuestPid = &pid
		}
	}
	if p.Pid == 0 {
		return errors.New("cannot parse status: no pid")
	}
	return nil
}

// readArgs reads a command line; hung says that it took too long. The read then goes on
// in a thread of its own until this process or the other ends.
func readArgs(proc int) (args []string, hung bool) {
	fd, err := unix.Openat(proc, "cmdline", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	text := make(chan []byte, 1)
	go func() {
		defer unix.Close(fd)
		buf := make([]byte, maxArgs)
		n, _ := unix.Read(fd, buf) // it has none, or has ended
		text <- buf[:max(n, 0)]
	}()
	select {
	case t := <-text:
		if t = bytes.TrimRight(t, "\x00"); len(t) > 0 {
			args = strings.Split(string(t), "\x00")
		}
		return args, false
	case <-time.After(argsPatience):
		return nil, true
	}
}
