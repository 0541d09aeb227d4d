package publish

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/pkg/vnet"
)

// relayFile is where a guest's relay is written down: its pid, when it was started, and a
// digest of what it was started for.
func relayFile(s *vnet.Setup) string {
	return filepath.Join(s.RunDir, ".net", "relays", filepath.Base(s.Guest))
}

// relayPorts are those of a guest's ports that are for its relay, as it reads them; nil:
// there is none.
func relayPorts(s *vnet.Setup) ([]byte, error) {
	list := slices.DeleteFunc(slices.Clone(s.Publish), func(p vnet.Publish) bool { return !p.Loopback })
	if len(list) == 0 {
		return nil, nil
	}
	return json.Marshal(list)
}

// relayDigest is of what a relay was started for: the ports, and which boot of the guest.
func relayDigest(ports []byte, pid int) string {
	sum := sha256.Sum256(fmt.Appendf(ports[:len(ports):len(ports)], " %d %s", pid, startTime(pid)))
	return hex.EncodeToString(sum[:])
}

// relayRuns says whether a guest has the relay that it is to have.
func relayRuns(s *vnet.Setup, pid int) (bool, error) {
	ports, err := relayPorts(s)
	if err != nil || ports == nil {
		return false, err
	}
	was, err := readRelay(relayFile(s))
	return err == nil && was.digest == relayDigest(ports, pid) && was.runs(), nil
}

// LostRelays are the guests whose relay has ended without having been stopped.
func LostRelays(runDir string) []string {
	var lost []string
	files, _ := filepath.Glob(filepath.Join(runDir, ".net", "relays", "*"))
	for _, file := range files {
		if r, err := readRelay(file); err == nil && !r.runs() {
			lost = append(lost, filepath.Base(file))
		}
	}
	return lost
}

// written is what a relay's file says.
type written struct {
	pid             int
	started, digest string
}

func (w written) runs() bool { return w.started != "" && startTime(w.pid) == w.started }

func readRelay(file string) (written, error) {
	var w written
	data, err := os.ReadFile(file)
	if err == nil {
		_, err = fmt.Sscan(string(data), &w.pid, &w.started, &w.digest)
	}
	if err != nil {
		return w, fmt.Errorf("cannot read who the relay is: %w", err)
	}
	return w, nil
}

// startRelay starts a guest's relay, if it has ports for one, and waits until it listens.
func startRelay(ctx context.Context, s *vnet.Setup, program string, pid int) error {
	ports, err := relayPorts(s)
	if err != nil || ports == nil {
		return err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("cannot start relay: guest %s (pid %d): %w", s.Guest, pid, err)
	}
	init := os.NewFile(uintptr(fd), "init")
	defer init.Close()
	if err := os.MkdirAll(filepath.Dir(relayFile(s)), 0o700); err != nil {
		return err
	}
	// Not by ctx: the relay is to live on.
	c := exec.Command(program, "relay")
	// With these the runtime keeps no files of its control group open, and two threads do.
	c.Env = []string{"GODEBUG=containermaxprocs=0", "GOMAXPROCS=2"}
	c.Dir = "/"
	c.ExtraFiles = []*os.File{init}
	c.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	return runRelay(ctx, s, c, ports, relayDigest(ports, pid))
}

// runRelay starts it, waits for its word, and writes down who it is.
func runRelay(ctx context.Context, s *vnet.Setup, c *exec.Cmd, ports []byte, digest string) error {
	c.Stdin = nil
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("cannot start relay: %w", err)
	}
	kill := func(cause error) error {
		c.Process.Kill()
		c.Wait()
		return cause
	}
	stop := context.AfterFunc(ctx, func() { c.Process.Kill() })
	defer stop()
	// Written down before it does anything: who takes over from this process finds it.
	id := fmt.Sprintf("%d %s %s\n", c.Process.Pid, startTime(c.Process.Pid), digest)
	if err := atomicfile.WritePath(relayFile(s), []byte(id), 0o600); err != nil {
		return kill(err)
	}
	if _, err := in.Write(append(ports, '\n')); err != nil {
		return kill(fmt.Errorf("cannot start relay: %w", err))
	}
	word, err := bufio.NewReader(out).ReadString('\n')
	if err == nil && word == relayDone+"\n" {
		in.Close()
		return c.Process.Release()
	}
	if word = strings.TrimSpace(word); word == "" {
		word = "cannot start relay: it ended without a word"
	}
	return errors.Join(kill(errors.New(word)), context.Cause(ctx))
}

// StopRelay ends a guest's relay, if there is one, and waits until it has.
func StopRelay(ctx context.Context, s *vnet.Setup) error {
	r, err := readRelay(relayFile(s))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// One that can't be read was written by nobody who knows a relay.
	if err == nil && r.pid > 1 {
		if err := end(ctx, r.pid, r.started); err != nil {
			return fmt.Errorf("cannot stop relay (pid %d): %w", r.pid, err)
		}
	}
	return os.Remove(relayFile(s))
}

// killWait is how long a relay has to be gone after SIGKILL.
const killWait = 10 * time.Second

// end kills a process by a descriptor that is surely its, and waits for its end. It has
// nothing to finish.
func end(ctx context.Context, pid int, started string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if started == "" || startTime(pid) != started {
		return nil // the number is somebody else's now
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	deadline := time.Now().Add(killWait)
	for ctx.Err() == nil && time.Now().Before(deadline) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	return errors.Join(errors.New("it doesn't end"), context.Cause(ctx))
}

// startTime is when a process was started, in the kernel's ticks; "" if there is none, or
// it has ended and waits for its parent.
// Source: proc_pid_stat(5), field 22, counted after the name, which may have blanks.
func startTime(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	if f := strings.Fields(after); len(f) > 19 && f[0] != "Z" {
		return f[19]
	}
	return ""
}
