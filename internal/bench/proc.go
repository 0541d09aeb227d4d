package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// time runs a command and gives the time from its start to its end. What it says
// is shown if it fails. Descriptors of the child are files: a daemon that keeps
// them open would hold up the end of a pipe.
func (b *bench) time(argv []string) (time.Duration, error) {
	if err := b.said.Truncate(0); err != nil {
		return 0, err
	}
	cmd := b.command(argv)
	begin := time.Now()
	err := cmd.Run()
	d := time.Since(begin)
	if err != nil {
		return 0, b.failed(argv, err)
	}
	return d, nil
}

// spawn starts a command and leaves it running; Wait has to be called.
func (b *bench) spawn(argv []string) (*exec.Cmd, error) {
	cmd := b.command(argv)
	if err := cmd.Start(); err != nil {
		return nil, b.failed(argv, err)
	}
	return cmd, nil
}

// output runs a command that isn't timed, and gives what it prints.
func (b *bench) output(argv ...string) (string, error) {
	cmd := b.command(argv)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", b.failed(argv, err)
	}
	return out.String(), nil
}

// command is out of reach of the terminal's interrupt, which is for bench alone.
func (b *bench) command(argv []string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = b.env
	cmd.Stdout, cmd.Stderr = b.said, b.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func (b *bench) failed(argv []string, err error) error {
	text, _ := os.ReadFile(b.said.Name())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) > 3 {
		lines = lines[:3]
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.Join(lines, "; "))
}

// process finds a process by its arguments.
func process(args string) (int, error) {
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + p.Name() + "/cmdline")
		if err == nil && strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " ") == args {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no process is called %q", args)
}

// waitFor polls for what has no event; it is never within a measurement.
func waitFor(what string, limit time.Duration, done func() (bool, error)) error {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("timed out: " + what)
		}
	}
}
