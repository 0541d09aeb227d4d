package holder

import (
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
)

// idleRetry is the pause between tries to end, while somebody is starting a
// holder.
const idleRetry = 20 * time.Millisecond

// idle says whether there is nothing left to do.
func (h *holder) idle() bool {
	return len(h.monitors) == 0 && len(h.clients) == 0 && len(h.adopting) == 0
}

// endIfIdle ends the holder if nothing is left to do. Who starts a holder holds
// holder.lock until it is connected, so under that lock an empty queue stays
// empty, but for a client that connects without the lock: it is told so by a
// lost connection, and tries again.
func (h *holder) endIfIdle() {
	if !h.idle() {
		return
	}
	lock, err := flock.TryAcquire(filepath.Join(h.conf.RunDir, lockName))
	if errors.Is(err, flock.ErrHeld) {
		return
	}
	if err == nil {
		defer lock.Release()
	}
	// Without a lock (a run directory that is gone) it ends as well.
	if h.acceptAll() > 0 {
		return
	}
	unix.Unlinkat(h.dir, SocketName, 0)
	unix.Unlinkat(h.dir, notifyName, 0)
	unix.Close(h.listen)
	unix.Close(h.notify)
	h.home.leave()
	h.ended = true
}
