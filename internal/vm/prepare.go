package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/internal/vm/machine"
)

// prepared is all that machines are started with: a Base, the drive with the programs, which goes when they run, and the drive with
// the images of guests.
type prepared struct {
	base     *machine.Base
	dir      string // of this process
	programs string
	images   string
}

// prepare makes what isn't there yet. The tests of the packages are built onto the drive with the programs.
func prepare(ctx context.Context, release string, tests []target) (*prepared, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("machines are made and run by root")
	}
	dir, err := os.MkdirTemp("/var/tmp", "sysct-vm-")
	if err != nil {
		return nil, err
	}
	p := &prepared{dir: dir, programs: filepath.Join(dir, "programs")}
	if err := p.fill(ctx, release, tests); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

func (p *prepared) fill(ctx context.Context, release string, tests []target) error {
	log, err := os.Create(filepath.Join(testimages.Cache(), "vm.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	agent := filepath.Join(p.dir, "agent")
	if err := build(ctx, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", agent, "./internal/vm/agent"); err != nil {
		return err
	}
	mirrors, err := mirrors(p.dir, release)
	if err != nil {
		return err
	}
	p.base, err = machine.Ensure(ctx, machine.Source{Release: release, Agent: agent, Mirrors: mirrors, Cache: testimages.Cache(), Log: log, Steps: os.Stderr})
	if err != nil {
		return err
	}
	if p.images, err = ensureImages(ctx, log); err != nil {
		return err
	}
	return writePrograms(ctx, filepath.Join(p.dir, "tree"), p.programs, tests)
}

// remove removes the directory. Machines that were started have its files open.
func (p *prepared) remove() { os.RemoveAll(p.dir) }

// load starts a machine and installs in it what is on the drives.
func (p *prepared) load(ctx context.Context, name string, stay bool) (*machine.Machine, error) {
	m, err := machine.Load(ctx, p.base, machine.Options{
		Dir: filepath.Join(machines, name), Stay: stay,
		Drives: []machine.Drive{{Name: "programs", Image: p.programs}, {Name: "images", Image: p.images}},
	})
	if err != nil {
		return nil, err
	}
	if _, err := m.Output(ctx, "sh", "-c", install); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot install sysct in the machine: %w", err), m.Stop())
	}
	return m, nil
}

// install mounts the drives, at every boot, and copies what is installed on a host, as its package does. The images' keys come from
// the apt sources and the busybox of the host that made them, so that the machine gets those as well.
const install = `set -eu
mkdir -p /programs /var/cache/sysct /var/cache/sysct-test
cat >>/etc/fstab <<'END'
/dev/disk/by-id/virtio-programs /programs ext4 ro,nofail
/dev/disk/by-id/virtio-images /var/cache/sysct ext4 nofail
/var/cache/sysct /var/cache/sysct-test none bind,nofail
END
mount /programs
mount /var/cache/sysct
mount /var/cache/sysct-test
cp -a /programs/root/. /
cp -a /var/cache/sysct/host/. /
systemctl daemon-reload`

// build runs the go command.
func build(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", args[0], err)
	}
	return nil
}
