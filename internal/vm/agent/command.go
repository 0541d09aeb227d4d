package main

import (
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sysct/sysct/internal/vm/wire"
)

// command is one that runs for a client.
type command struct {
	id    string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when its process has been waited for
	left  atomic.Bool   // it was abandoned
}

// stragglers is how long the output of processes is waited for that a command left behind with its pipes.
const stragglers = time.Second

// start runs a command in a process group of its own and answers with its output and, at its end, its status.
func start(out *line, r wire.Request) (*command, error) {
	cmd := exec.Command(r.Args[0], r.Args[1:]...)
	cmd.Env = append(os.Environ(), r.Env...)
	cmd.Dir = r.Dir
	cmd.Stdout, cmd.Stderr = stream{out, r.ID, 1}, stream{out, r.ID, 2}
	cmd.WaitDelay = stragglers
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &command{id: r.ID, cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	go func() {
		cmd.Wait() // what it says of the end is in ProcessState
		close(c.ended)
		a := wire.Answer{ID: r.ID, Done: true, Status: status(cmd.ProcessState)}
		if c.left.Load() {
			a.Error = "killed by the agent, because its client seemed to have gone"
		}
		out.answer(a)
	}()
	return c, nil
}

func status(s *os.ProcessState) int {
	if w := s.Sys().(syscall.WaitStatus); w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

// input hands the command what it reads. It must be one that reads: others than it wait meanwhile.
func (c *command) input(data []byte, end bool) {
	c.stdin.Write(data) // a command may end without having read all
	if end {
		c.stdin.Close()
	}
}

// abandon ends a command whose client has gone.
func (c *command) abandon() {
	select {
	case <-c.ended:
	default:
		c.left.Store(true)
		syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// stream is the command's standard output or error.
type stream struct {
	out    *line
	id     string
	number int
}

func (s stream) Write(data []byte) (int, error) {
	s.out.answer(wire.Answer{ID: s.id, Stream: s.number, Data: data})
	return len(data), nil
}
