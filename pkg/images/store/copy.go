package store

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// copyImage copies the tree of an image into rootfs/, which is there and
// empty, with as many workers as Go uses CPUs.
func copyImage(ctx context.Context, image string, g *guestDir) error {
	source, err := openSource(image)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	target, err := g.openDir(rootfsName)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return copyTree(ctx, source, target)
}

// openSource returns a detached read-only mount of the image: nothing can be
// changed through it, not even access times, and it shows no mount below it.
func openSource(image string) (int, error) {
	fd, err := openTree(image)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	clone, err := cloneMount(fd)
	if err != nil {
		return -1, err
	}
	if err := makeQuiet(clone); err != nil {
		unix.Close(clone)
		return -1, err
	}
	return clone, nil
}

// makeQuiet has a detached mount change nothing of what it shows.
func makeQuiet(mount int) error {
	quiet := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(mount, "", unix.AT_EMPTY_PATH, &quiet); err != nil {
		return fmt.Errorf("cannot make a mount of the source read-only: %w", err)
	}
	return nil
}

// copier copies one tree. A task is a directory, named by its path below the
// root: so nothing stays open for tasks that wait, however wide the tree is.
type copier struct {
	ctx            context.Context
	source, target int
	links          linkTable
	noReflink      atomic.Bool // the two file systems share no blocks

	mu      sync.Mutex
	changed *sync.Cond
	waiting []string // taken from the end: deep first keeps it short
	active  int
}

func copyTree(ctx context.Context, source, target int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &copier{ctx: ctx, source: source, target: target, waiting: []string{"."}}
	c.links.known = map[inode]*firstLink{}
	c.changed = sync.NewCond(&c.mu)
	stop := context.AfterFunc(ctx, c.wakeAll)
	defer stop()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			w := newCopyWorker(c)
			for dir, ok := c.next(); ok; dir, ok = c.next() {
				if err := w.copyDir(dir); err != nil {
					cancel(err)
				}
				c.finished()
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// next waits for a task; false means that there are no more.
func (c *copier) next() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 && c.active > 0 && c.ctx.Err() == nil {
		c.changed.Wait()
	}
	if len(c.waiting) == 0 || c.ctx.Err() != nil {
		return "", false
	}
	last := len(c.waiting) - 1
	dir := c.waiting[last]
	c.waiting = c.waiting[:last]
	c.active++
	return dir, true
}

func (c *copier) add(dir string) {
	c.mu.Lock()
	c.waiting = append(c.waiting, dir)
	c.mu.Unlock()
	c.changed.Signal()
}

func (c *copier) finished() {
	c.mu.Lock()
	c.active--
	c.mu.Unlock()
	c.changed.Broadcast()
}

func (c *copier) wakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed.Broadcast()
}

// copyDir copies a directory's entries and, last, its own attributes: its
// time would change with the entries, and a default ACL would be inherited.
func (w *copyWorker) copyDir(dir string) error {
	source, err := openBeneath(w.source, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return copyError(dir, err)
	}
	defer unix.Close(source)
	target, err := openBeneath(w.target, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return copyError(dir, err)
	}
	defer unix.Close(target)
	at := place{source: source, target: target, dir: dir}
	err = eachEntry(source, w.names, func(e entry) error {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.copyEntry(at, e.name); err != nil {
			return copyError(path.Join(dir, e.name), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.copyOpenAttributes(source, target); err != nil {
		return copyError(dir, err)
	}
	return nil
}

// copyError quotes the path: an image can have any bytes in a name.
func copyError(path string, err error) error {
	return fmt.Errorf("cannot copy %q: %w", path, err)
}
