package enter

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// helperEnv chooses what the test binary is when it runs inside a guest.
const helperEnv = "SYSCT_ENTER_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "":
		os.Exit(m.Run())
	case "thief":
		thief()
	case "overwriter":
		overwriter()
	case "keyring":
		fmt.Println(sessionKeyring())
	case "keyring-enter":
		enterWithKeyring()
	case "linger":
		time.Sleep(5 * time.Millisecond)
	}
	syscall.Exit(0) // os.Exit would speak about coverage
}

// installHelper copies the test binary into the guest.
func (g *guest) installHelper() {
	g.t.Helper()
	self, err := os.Open("/proc/self/exe")
	must(g.t, err)
	defer self.Close()
	n := null(g.t)
	status := g.run(&Process{
		Args:  []string{"/bin/sh", "-c", "cat > /srv/helper && chmod 755 /srv/helper"},
		Files: [3]int{int(self.Fd()), n, n},
	})
	if status != 0 {
		g.t.Fatalf("cannot install helper: %#x", int(status))
	}
}

// helper is the test binary at work in a guest, until finish.
type helper struct {
	g     *guest
	child *Child
	stop  *os.File
	done  chan struct{}

	mu    sync.Mutex
	lines []string
}

// startHelper returns when the helper has said "ready".
func (g *guest) startHelper(mode string) *helper {
	g.t.Helper()
	in, stop := makePipe(g.t)
	out, w := makePipe(g.t)
	h := &helper{g: g, stop: stop, done: make(chan struct{})}
	h.child = g.start(&Process{
		Args: []string{"/srv/helper"}, Env: []string{helperEnv + "=" + mode},
		Files: [3]int{int(in.Fd()), int(w.Fd()), int(w.Fd())},
	})
	in.Close()
	w.Close()
	ready := make(chan struct{})
	go h.listen(out, ready)
	<-ready
	return h
}

func (h *helper) listen(out *os.File, ready chan struct{}) {
	defer close(h.done)
	first := sync.OnceFunc(func() { close(ready) })
	defer first()
	for scan := bufio.NewScanner(out); scan.Scan(); first() {
		h.mu.Lock()
		h.lines = append(h.lines, scan.Text())
		h.mu.Unlock()
	}
}

// said counts the lines with a word.
func (h *helper) said(word string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.lines {
		if line == word {
			n++
		}
	}
	return n
}

// finish ends the helper, and returns what it said other than word and "ready".
func (h *helper) finish(word string) []string {
	h.g.t.Helper()
	h.stop.Close()
	<-h.done
	if status, err := h.child.Wait(); status != 0 || err != nil {
		h.g.t.Errorf("helper ended with %#x, %v", int(status), err)
	}
	return slices.DeleteFunc(slices.Clone(h.lines), func(line string) bool { return line == word || line == "ready" })
}

// stopped says in the helper whether finish was called.
func stopped() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	fmt.Println("ready")
	return done
}

// watch calls try for each process that comes into the guest, until finish. try
// says whether there was such a process; it is called again and again before.
func watch(done <-chan struct{}, try func(pid int) bool) {
	next := os.Getpid() + 1
	for {
		select {
		case <-done:
			return
		default:
		}
		last := lastPID()
		for ; next <= last; next++ {
			try(next)
		}
		for range 100 {
			if try(next) {
				next++
				break
			}
		}
	}
}

// lastPID returns the guest's newest process id, from /proc/loadavg.
func lastPID() int {
	data, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(data))
	last, _ := strconv.Atoi(fields[len(fields)-1])
	return last
}
