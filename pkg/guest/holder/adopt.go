package holder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// adoptTimeout bounds a connect. A monitor accepts nothing while it is
// stopped, but its queue takes us.
const adoptTimeout = 100 * time.Millisecond

// adoptAll asks the monitors that a holder before this one has left behind to
// leave their descriptors here. The answers come by the loop, so that a
// stopped monitor holds up nobody; it is adopted when it goes on.
func (h *holder) adoptAll() {
	entries, err := os.ReadDir(h.conf.RunDir)
	if err != nil {
		h.log.printf("cannot look for monitors: %v", err)
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !plausible(e.Name()) {
			continue
		}
		if conn := h.askToAdopt(e.Name()); conn != nil {
			h.await(e.Name(), conn)
		}
	}
}

func (h *holder) askToAdopt(name string) *control.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), adoptTimeout)
	defer cancel()
	conn, err := control.Dial(ctx, h.dir, name)
	if err != nil {
		return nil
	}
	req := control.Request{Op: control.OpAdopt, Notify: filepath.Join(h.conf.RunDir, notifyName), Watchdog: h.watchdog()}
	if err := conn.Send(ctx, req); err != nil {
		conn.Close()
		return nil
	}
	return conn
}

// adoption is a monitor that was asked and hasn't answered yet.
type adoption struct {
	name string
	conn *control.Conn
}

// await has the answer taken when it comes.
func (h *holder) await(name string, conn *control.Conn) {
	a := &adoption{name, conn}
	h.adopting[a] = struct{}{}
	err := h.loop.Add(conn.Fd(), unix.EPOLLIN|unix.EPOLLRDHUP, func(uint32) { h.adopted(a) })
	if err != nil {
		h.log.printf("%v", err)
		h.endAdoption(a)
	}
}

func (h *holder) endAdoption(a *adoption) {
	h.loop.Remove(a.conn.Fd())
	a.conn.Close()
	delete(h.adopting, a)
}

// finishAdoptions takes the answers that are there already.
func (h *holder) finishAdoptions() {
	for a := range h.adopting {
		h.adopted(a)
	}
}

// adopted takes a monitor's answer: its pid, and its pidfd to watch it by,
// because it is no child of this holder.
func (h *holder) adopted(a *adoption) {
	var resp control.Response
	fds, err := a.conn.TryReceive(&resp)
	if errors.Is(err, control.ErrAgain) {
		return
	}
	h.endAdoption(a)
	switch {
	case errors.Is(err, control.ErrLost):
		return // it died meanwhile
	case err == nil && (len(fds) != 1 || resp.Pid <= 0):
		err = fmt.Errorf("an answer with pid %d and %d descriptors", resp.Pid, len(fds))
	case err == nil && h.monitors[a.name] != nil:
		err = errors.New("it has a monitor already")
	}
	m := &monitor{name: a.name, helper: h.conf.Helper, pid: resp.Pid, pidfd: -1, started: time.Now()}
	if err == nil {
		m.pidfd = fds[0]
		err = h.watch(m)
	}
	if err != nil {
		control.CloseAll(fds)
		h.log.printf("cannot adopt monitor of %s: %v", a.name, err)
		return
	}
	h.monitors[a.name] = m
	h.log.printf("monitor %d of %s is adopted", m.pid, a.name)
}
