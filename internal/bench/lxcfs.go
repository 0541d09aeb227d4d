package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// lxcfsDir is where the hook of lxcfs's package looks.
const lxcfsDir = "/var/lib/lxcfs"

// lxcfs is its daemon, in this mount namespace only.
type lxcfs struct{ cmd *exec.Cmd }

// startLXCFS starts the daemon in the foreground and waits until it serves.
func startLXCFS(b *bench) (*lxcfs, error) {
	path, err := exec.LookPath("lxcfs")
	if err != nil {
		return nil, err
	}
	cmd, err := b.spawn([]string{path, "-f", "-p", filepath.Join(b.dir, "lxcfs.pid"), lxcfsDir})
	if err != nil {
		return nil, err
	}
	l := &lxcfs{cmd}
	err = waitFor("nothing is mounted at "+lxcfsDir, 5*time.Second, func() (bool, error) {
		return exists(filepath.Join(lxcfsDir, "proc/meminfo")), nil
	})
	if err != nil {
		l.stop()
		return nil, errors.Join(err, b.failed(cmd.Args, errors.New("said")))
	}
	return l, nil
}

func (l *lxcfs) stop() {
	if l == nil {
		return
	}
	l.cmd.Process.Signal(syscall.SIGTERM)
	l.cmd.Wait()
}
