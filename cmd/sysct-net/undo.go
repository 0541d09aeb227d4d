package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/link"
	publishing "github.com/sysct/sysct/pkg/vnet/publish"
)

// undo brings back what a guest had before a change that was broken off: the process of it
// was killed, or the monitor that ran it, whose verb then may be at work yet. It is told the
// setup that was tried, and the one that was.
func undo(in *bufio.Reader) error {
	tried, was, pid, err := readChange(in)
	if err != nil {
		return err
	}
	lock, err := alone(was)
	if err != nil {
		return err
	}
	defer lock.Close()
	up := bringUp(was)
	s, err := link.Open(was)
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Enter(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return removeTried(tried) // and the end of the boot removes the rest
	}
	if err != nil {
		return err
	}
	return errors.Join(up, s.Undo(tried, was), publishing.Change(context.Background(), was, was, self, pid, warn))
}

// removeTried is for a guest that has ended.
func removeTried(tried *vnet.Setup) error {
	s, err := link.Open(tried)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Remove()
}

// aloneWait is how long another verb for the same guest may take.
const aloneWait = 30 * time.Second

// errAlone is a verb whose monitor has died: the next one undoes it.
var errAlone = errors.New("who asked for it has ended")

// alone waits until no other process changes the network of the guest, and keeps others from
// it until the file is closed. The lock is on one byte, chosen by the guest's name, of a file
// for all: a file a guest would be left over.
func alone(s *vnet.Setup) (*os.File, error) {
	dir := filepath.Join(s.RunDir, ".net")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "busy"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	h := fnv.New64a()
	h.Write([]byte(s.Guest))
	at := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(h.Sum64() >> 2), Len: 1}
	for end := time.Now().Add(aloneWait); ; time.Sleep(10 * time.Millisecond) {
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &at)
		if err == nil && !heard() {
			err = errAlone
		}
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EAGAIN) || time.Now().After(end) {
			f.Close()
			return nil, fmt.Errorf("cannot change the network of guest %s: %w", s.Guest, err)
		}
	}
}

// heard says whether anybody reads what is said.
func heard() bool {
	fds := []unix.PollFd{{Fd: int32(os.Stdout.Fd())}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n == 0 || fds[0].Revents&unix.POLLERR == 0
}
