package confine

import (
	"io"
	"time"
)

// watchdog passes output on and calls expire once if nothing came for a while.
type watchdog struct {
	out   io.Writer
	idle  time.Duration
	timer *time.Timer // nil: no limit
}

func newWatchdog(out io.Writer, idle time.Duration, expire func()) *watchdog {
	w := &watchdog{out: out, idle: idle}
	if idle > 0 {
		w.timer = time.AfterFunc(idle, expire)
	}
	return w
}

// Write never fails: a full log must not end a build with SIGPIPE.
func (w *watchdog) Write(p []byte) (int, error) {
	if w.timer != nil {
		w.timer.Reset(w.idle)
	}
	_, _ = w.out.Write(p)
	return len(p), nil
}

func (w *watchdog) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
