package holder

import "golang.org/x/sys/unix"

// maxExits bounds the memory of how processes ended: a monitor asks right
// after its guest's end, or never.
const maxExits = 256

// exits remembers the wait statuses of processes that weren't monitors, the
// guests' inits among them, the newest of a pid first.
type exits struct {
	list []exit
	next int
}

type exit struct {
	pid    int
	status unix.WaitStatus
}

func (e *exits) add(pid int, status unix.WaitStatus) {
	if len(e.list) < maxExits {
		e.list = append(e.list, exit{pid, status})
		return
	}
	e.list[e.next] = exit{pid, status}
	e.next = (e.next + 1) % maxExits
}

func (e *exits) get(pid int) (unix.WaitStatus, bool) {
	for i := range e.list {
		// From the newest back: pids come again.
		x := e.list[(e.next-1-i+2*len(e.list))%len(e.list)]
		if x.pid == pid {
			return x.status, true
		}
	}
	return 0, false
}

// reap takes every child that has ended.
func (h *holder) reap() {
	for {
		var st unix.WaitStatus
		pid, err := unix.Wait4(-1, &st, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if m := h.byPid(pid); m != nil {
			m.status, m.reaped = st, true
			continue
		}
		h.exits.add(pid, st)
	}
}
