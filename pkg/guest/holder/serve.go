package holder

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/pkg/guest/control"
)

// holder is the process's whole state; only its loop touches it.
type holder struct {
	version  string // of this program
	conf     Config
	log      *logger
	loop     *epoll.Loop
	dir      int // the run directory
	listen   int
	notify   int
	monitors map[string]*monitor
	clients  map[*control.Peer]struct{}
	adopting map[*adoption]struct{}
	exits    exits
	home     group
	ended    bool
}

// serve is the holder's life.
func serve(c Config, version string) error {
	h := &holder{version: version, conf: c, listen: listenFD, monitors: map[string]*monitor{},
		clients: map[*control.Peer]struct{}{}, adopting: map[*adoption]struct{}{}}
	h.log = openLog(c.LogDir)
	before, err := readBefore()
	if err == nil {
		err = h.setup(before)
	}
	if err != nil {
		h.log.printf("%v", err)
		return err
	}
	if before != nil {
		h.resume(before)
	} else {
		h.log.printf("holder %d starts for %s", os.Getpid(), c.RunDir)
		h.adoptAll()
	}
	for !h.ended {
		begun := time.Now()
		timeout := h.timeout(begun)
		if err := h.loop.Round(timeout); err != nil {
			h.log.printf("%v", err)
			return err
		}
		h.endHung(time.Now(), time.Since(begun), timeout)
		h.restart(time.Now())
		h.endIfIdle()
	}
	h.log.printf("holder %d ends: no monitor is left", os.Getpid())
	return nil
}

func (h *holder) setup(before *before) error {
	// The name in ps; harmless if it fails.
	os.WriteFile("/proc/self/comm", []byte("sysct-holder"), 0)
	// A host that runs out of memory should find others first. Not every root may.
	os.WriteFile("/proc/self/oom_score_adj", []byte("-500"), 0)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	var err error
	if h.dir, err = unix.Open(h.conf.RunDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("cannot open run directory: %w", err)
	}
	if before != nil {
		h.listen, h.notify = before.Listen, before.Notify
	} else if h.notify, err = listenNotify(h.dir); err != nil {
		return err
	}
	if h.loop, err = epoll.New(); err != nil {
		return err
	}
	h.home = enterGroup(h.conf.Base, h.log)
	// Caught rather than ignored, because children would inherit that. The
	// holder ends with its last guest; at the host's shutdown its monitors stop
	// their guests, and it keeps watch until they are done.
	h.loop.Signals(func(s os.Signal) {
		if s == syscall.SIGCHLD {
			h.reap()
			return
		}
		h.log.printf("%v is ignored: the holder ends with its last guest", s)
	}, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := h.loop.Add(h.notify, unix.EPOLLIN, func(uint32) { h.drainNotify() }); err != nil {
		return err
	}
	return h.loop.Add(h.listen, unix.EPOLLIN, func(uint32) { h.acceptAll() })
}

// acceptAll takes all clients that wait, and says how many there were.
func (h *holder) acceptAll() int {
	for n := 0; ; n++ {
		p, err := control.Accept(h.listen)
		if err == control.ErrAgain {
			return n
		}
		if err != nil {
			h.log.printf("%v", err)
			return n
		}
		p.Program = h.version
		h.clients[p] = struct{}{}
		if err := h.loop.Add(p.FD(), unix.EPOLLIN|unix.EPOLLRDHUP, func(uint32) { h.serveClient(p) }); err != nil {
			h.log.printf("%v", err)
			h.closeClient(p)
			continue
		}
		h.serveClient(p) // it has mostly asked by now
	}
}

func (h *holder) closeClient(p *control.Peer) {
	h.loop.Remove(p.FD())
	delete(h.clients, p)
	for _, m := range h.monitors {
		if m.next != nil && m.next.peer == p {
			control.CloseAll([]int{m.next.plan, m.next.report})
			m.next = nil
		}
	}
	p.Close()
}

// timeout is how long the loop may sleep.
func (h *holder) timeout(now time.Time) time.Duration {
	if h.idle() {
		return idleRetry
	}
	first := time.Duration(-1)
	soonest := func(at time.Time) {
		if d := max(at.Sub(now), 0); first < 0 || d < first {
			first = d
		}
	}
	for _, m := range h.monitors {
		if !m.again.IsZero() {
			soonest(m.again)
		}
		if !m.alive.IsZero() {
			soonest(m.alive.Add(h.watchdog()))
		}
	}
	return first
}

func (h *holder) byPid(pid int) *monitor {
	for _, m := range h.monitors {
		if m.pid == pid {
			return m
		}
	}
	return nil
}

// openLog opens the holder's log, which is its standard error as well, so that
// a panic is in it.
func openLog(dir string) *logger {
	l := newLogger(dir)
	if dir == "" {
		return l
	}
	fd, err := unix.Open(filepath.Join(dir, logName), unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Dup3(fd, 2, 0)
		unix.Close(fd)
	}
	return l
}
