package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kill implements limits.Group.
func (g *group) Kill() error {
	err := g.guest.write("cgroup.kill", "1")
	if errors.Is(err, fs.ErrNotExist) {
		err = killEach(g.guest) // before Linux 5.14
	}
	if err != nil {
		return fmt.Errorf("cannot kill %q: %w", g.name, err)
	}
	return nil
}

// killEach kills every process below d one by one. It freezes them first, or some
// could fork faster than they are found; a frozen process dies of SIGKILL.
func killEach(d *dir) error {
	before, err := d.read("cgroup.freeze")
	if gone(err) {
		return nil // it has been removed, so nobody can be in it
	}
	if err != nil {
		return err
	}
	if err := d.write("cgroup.freeze", "1"); err != nil {
		return err
	}
	err = killAll(d)
	if strings.TrimSpace(before) == "0" {
		err = errors.Join(err, d.write("cgroup.freeze", "0"))
	}
	return err
}

// killAll goes on until every process that is listed has been sent the signal.
func killAll(d *dir) error {
	killed := map[int]bool{}
	deadline := time.Now().Add(patience)
	for {
		pids, err := pidsBelow(d)
		if err != nil {
			return err
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { return killed[pid] })
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("new processes come as fast as they are killed")
		}
		if err := killThese(d, pids, killed); err != nil {
			return err
		}
	}
}

// killThese opens the processes and lists again before it sends anything: between
// a listing and pidfd_open a number may have gone to a process elsewhere, and only
// what is listed while its pidfd is open is surely the one.
func killThese(d *dir, pids []int, killed map[int]bool) error {
	open := map[int]int{}
	defer func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids[:min(len(pids), 256)] {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH {
			continue
		}
		if err != nil {
			return err
		}
		open[pid] = fd
	}
	still, err := pidsBelow(d)
	if err != nil {
		return err
	}
	for _, pid := range still {
		fd, ok := open[pid]
		if !ok {
			continue
		}
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
			return err
		}
		killed[pid] = true
	}
	return nil
}
