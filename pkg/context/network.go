package context

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet/space"
)

// network is the process that makes the guest's interfaces while the rest of the guest is
// made: see cmd/sysct-net. nil: the guest has none.
type network struct {
	pid int
	in  *os.File
	out *os.File
}

// networkPatience is what the program takes at most: it takes milliseconds, seconds where a
// network is brought up, and waits for locks of others that do the same.
const networkPatience = 30 * time.Second

// ErrNetworkEnded is a process that didn't come to its end: what it has made is there.
var ErrNetworkEnded = errors.New("the program that makes the network ended")

// maxNetworkWords bounds what is read of its complaints, in bytes.
const maxNetworkWords = 4096

// startNetwork runs the program for a verb, and gives it lines.
func startNetwork(p *space.Plan, verb string, lines ...[]byte) (*network, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	n := &network{in: in, out: out}
	n.pid, err = syscall.ForkExec(p.Program, []string{"sysct-net", verb}, &syscall.ProcAttr{
		// It is one list of steps: a second thread of Go's would only cost.
		Dir: "/", Env: append(syscall.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"), Files: []uintptr{theirIn.Fd(), theirOut.Fd(), theirOut.Fd()},
	})
	if err != nil {
		in.Close()
		out.Close()
		return nil, fmt.Errorf("cannot run %s: %w", p.Program, err)
	}
	for _, line := range lines {
		if err := n.tell(append(line[:len(line):len(line)], '\n')); err != nil {
			break // it says itself why it ended
		}
	}
	return n, nil
}

func (n *network) tell(line []byte) error {
	_, err := n.in.Write(line)
	return err
}

// end waits for the process, and gives what it says but for the word that all is done. One that
// hangs is killed.
func (n *network) end() (said string, err error) {
	n.in.Close()
	late := time.AfterFunc(networkPatience, n.kill)
	text, _ := io.ReadAll(io.LimitReader(n.out, maxNetworkWords))
	n.out.Close()
	if !late.Stop() {
		text = fmt.Appendf(text, "the program that makes the network was killed: it took more than %v\n", networkPatience)
	}
	var st unix.WaitStatus
	for {
		if _, err := unix.Wait4(n.pid, &st, 0, nil); err != unix.EINTR {
			break
		}
	}
	said, done := strings.CutSuffix(string(text), "done\n")
	said = strings.TrimSpace(said)
	if done {
		return said, nil
	}
	if said == "" {
		said = fmt.Sprintf("status %d, signal %d", st.ExitStatus(), st.Signal())
		return "", fmt.Errorf("%w: %s", ErrNetworkEnded, said)
	}
	if st.Signaled() {
		return "", fmt.Errorf("%w: %s", ErrNetworkEnded, said)
	}
	return "", errors.New(said)
}

// kill ends the process if it is there still: it is reaped by end alone, so its number is its.
func (n *network) kill() { unix.Kill(n.pid, unix.SIGKILL) }

// RunNetwork has a verb of sysct-net done, with lines for its input, and gives what it says.
// A plan without a program needs nothing.
func RunNetwork(p *space.Plan, verb string, lines ...[]byte) (string, error) {
	if p.Program == "" {
		return "", nil
	}
	n, err := startNetwork(p, verb, lines...)
	if err != nil {
		return "", err
	}
	return n.end()
}

// NetworkDown takes away what a guest's network has on the host's side.
func NetworkDown(p *space.Plan) error {
	if p.Program == "" {
		return nil
	}
	_, err := RunNetwork(p, "down", p.Setup)
	return err
}

// beginNetwork is the first step: the program starts while the stage does.
func (l *launch) beginNetwork() (err error) {
	if l.spec.Net.Program == "" {
		return nil
	}
	l.net, err = startNetwork(&l.spec.Net, "up", l.spec.Net.Setup)
	return err
}

// tellNetwork says whose namespace it is.
func (l *launch) tellNetwork() error {
	if l.net == nil {
		return nil
	}
	if err := l.net.tell(fmt.Appendf(nil, "pid %d\n", l.stage.pid)); err != nil && !errors.Is(err, unix.EPIPE) {
		return err
	}
	return nil // what has ended already is asked for its reason by awaitNetwork
}

// awaitNetwork waits until all interfaces are there: the guest's init finds them.
func (l *launch) awaitNetwork() error {
	if l.net == nil {
		return nil
	}
	n := l.net
	l.net, l.netMade = nil, true
	_, err := n.end()
	return err
}

// dropNetwork ends the program, and takes back what it has made.
func (l *launch) dropNetwork() {
	if l.net != nil {
		l.net.kill() // it may wait for what won't come any more
		l.net.end()
		l.net, l.netMade = nil, true
	}
	if l.netMade {
		if err := NetworkDown(&l.spec.Net); err != nil && l.opt.Warn != nil {
			l.opt.Warn(err.Error())
		}
		l.netMade = false
	}
}
