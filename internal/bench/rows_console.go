package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// consoleBytes are what the guest writes, in lines as long as a terminal's.
	consoleBytes = 50_000_000
	consoleLine  = 80
	// flood is the command in the guest, but for the word that ends what it writes.
	flood = "dd if=/flood of=/dev/console bs=64k 2>/dev/null; echo >/dev/console "
)

// lastWord is another one in each run: a client is shown the end of the one before.
func (b *bench) lastWord() string {
	b.words++
	return fmt.Sprintf("end-of-run-%d-", b.words)
}

// consoleRow is the rate at which a guest's output is taken off its console: until
// its writer has ended or, with a client, until the client has shown all of it.
func consoleRow(attached bool) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		// Before it runs: then the files aren't the host's root's any more.
		name, err := b.guest(p, busybox.String(), busybox)
		if err != nil {
			return nil, err
		}
		line := bytes.Repeat([]byte{'x'}, consoleLine)
		line[consoleLine-1] = '\n'
		if err := os.WriteFile(filepath.Join(p.rootfs(name), "flood"), bytes.Repeat(line, consoleBytes/consoleLine), 0o644); err != nil {
			return nil, err
		}
		_, end, err := b.running(p, busybox)
		if err != nil {
			return nil, err
		}
		var word string
		var c *client
		pr := &probe{close: end}
		pr.before = func() (err error) {
			if word = b.lastWord(); attached {
				c, err = b.attach(p.argv(doConsole, name), word)
			}
			return err
		}
		pr.run = func() ([]float64, error) { return b.rate(p.argv(doExec, name, "/bin/sh", "-c", flood+word), c) }
		if attached {
			pr.after = func() error { return c.detach() }
		}
		return pr, nil
	}
}

// rate writes the flood and gives megabytes a second, until the client, if there is
// one, has shown all of it.
func (b *bench) rate(argv []string, c *client) ([]float64, error) {
	begin := time.Now()
	_, err := b.time(argv)
	if err == nil && c != nil {
		err = c.wait()
	}
	return []float64{consoleBytes / 1e6 / time.Since(begin).Seconds()}, err
}

// client is a user's terminal with a console command in it.
type client struct {
	cmd    *exec.Cmd
	master *os.File
	seen   atomic.Int64
	done   chan struct{} // all was shown, or the terminal is gone
}

// attach starts the command on a terminal of its own and waits until it is
// attached: both programs print a line.
func (b *bench) attach(argv []string, lastWord string) (*client, error) {
	master, slave, err := terminal()
	if err != nil {
		return nil, err
	}
	defer slave.Close()
	cmd := b.command(argv)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		master.Close()
		return nil, err
	}
	c := &client{cmd: cmd, master: master, done: make(chan struct{})}
	ready := make(chan struct{})
	go c.read(ready, lastWord)
	select {
	case <-ready:
		time.Sleep(200 * time.Millisecond) // the line comes a little before the attachment
		c.seen.Store(0)
		return c, nil
	case <-time.After(signalLimit):
		return nil, errors.Join(errors.New("timed out: the client isn't attached"), c.detach())
	}
}

// read counts what is shown, and looks for the two words.
func (c *client) read(ready chan struct{}, lastWord string) {
	defer close(c.done)
	word := []byte("Connected")
	p, old := make([]byte, 256<<10), 0
	for {
		n, err := unix.Read(int(c.master.Fd()), p[old:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return
		}
		c.seen.Add(int64(n))
		text := p[:old+n]
		if bytes.Contains(text, word) {
			if ready == nil {
				return
			}
			close(ready)
			ready, word = nil, []byte(lastWord)
		}
		// A word may come in two pieces.
		old = copy(p, text[max(0, len(text)-len(word)):])
	}
}

// wait waits for the last word. Less than all of it is no measurement.
func (c *client) wait() error {
	select {
	case <-c.done:
	case <-time.After(signalLimit):
		return errors.New("timed out: the client doesn't show the end")
	}
	if n := c.seen.Load(); n < consoleBytes {
		return fmt.Errorf("the client has shown %d bytes of %d", n, consoleBytes)
	}
	return nil
}

// detach ends the client as a user does who closes the terminal.
func (c *client) detach() error {
	err := c.cmd.Process.Kill()
	c.cmd.Wait()
	<-c.done
	return errors.Join(err, c.master.Close())
}

// terminal makes a pseudo-terminal.
func terminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open /dev/ptmx: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("ioctl(TIOCSPTLCK)", err), master.Close())
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("ioctl(TIOCGPTN)", err), master.Close())
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
