package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// kind is what a guest has in it.
type kind int

const (
	busybox kind = iota
	debian
)

func (k kind) String() string { return map[kind]string{busybox: "busybox", debian: "debian"}[k] }

// firstName is the FIFO in a guest's tree.
const firstName = "first"

// Opening a FIFO for both reading and writing never waits for the other side, so
// a guest boots the same if nobody listens.
const sayFirst = "echo 1<>/" + firstName

// busyboxInit stands before busybox's own: its first command is the word.
const busyboxInit = "#!/bin/sh\n" + sayFirst + "\nexec /bin/busybox init\n"

// debianUnit says the word when all units of the boot are done.
const debianUnit = `[Unit]
Description=Tell the benchmark that the system runs
[Service]
Type=exec
ExecStart=/bin/sh -c 'systemctl is-system-running --wait; ` + sayFirst + `'
[Install]
WantedBy=multi-user.target
`

// adapt gives a stopped guest's tree what the rows need.
func adapt(root string, k kind) error {
	fifo := filepath.Join(root, firstName)
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		return fmt.Errorf("cannot make %s: %w", fifo, err)
	}
	if k == busybox {
		init := filepath.Join(root, "sbin/init")
		if err := os.Remove(init); err != nil {
			return err
		}
		return os.WriteFile(init, []byte(busyboxInit), 0o755)
	}
	const unit = "bench.service"
	units := filepath.Join(root, "etc/systemd/system")
	wants := filepath.Join(units, "multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(units, unit), []byte(debianUnit), 0o644); err != nil {
		return err
	}
	return os.Symlink("../"+unit, filepath.Join(wants, unit))
}
