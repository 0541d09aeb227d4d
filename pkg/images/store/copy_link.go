package store

import (
	"sync"

	"golang.org/x/sys/unix"
)

type inode struct{ dev, ino uint64 }

// linkTable knows where the first link of each inode with several went.
type linkTable struct {
	mu    sync.Mutex
	known map[inode]*firstLink
}

// firstLink is the first link of an inode, which one worker makes while the
// others may wait for it. The one who makes it waits for nobody.
type firstLink struct {
	dir, name string
	done      chan struct{}
}

// claim returns the inode's first link; mine is true for the first caller,
// who makes it and calls finish.
func (t *linkTable) claim(st *unix.Stat_t, dir, name string) (first *firstLink, mine bool) {
	key := inode{st.Dev, st.Ino}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first, ok := t.known[key]; ok {
		return first, false
	}
	first = &firstLink{dir: dir, name: name, done: make(chan struct{})}
	t.known[key] = first
	return first, true
}

// finish lets the others link, if the inode was made.
func (f *firstLink) finish(err error) {
	if err == nil {
		close(f.done)
	}
}

// link makes name in target a further link.
func (w *copyWorker) link(first *firstLink, target int, name string) error {
	select {
	case <-first.done:
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	dir, err := openBeneath(w.target, first.dir, unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return unix.Linkat(dir, first.name, target, name, 0)
}
