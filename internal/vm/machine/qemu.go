package machine

import (
	"fmt"
	"path/filepath"

	"github.com/sysct/sysct/internal/vm/wire"
)

const emulator = "qemu-system-x86_64"

// base is the directory of a Base.
type base struct{ dir string }

func (b base) disk() string   { return filepath.Join(b.dir, "disk") }
func (b base) state() string  { return filepath.Join(b.dir, "state") }
func (b base) kernel() string { return filepath.Join(b.dir, "vmlinuz") }
func (b base) initrd() string { return filepath.Join(b.dir, "initrd") }

// machineArgs describe the machine. A saved state is for exactly this one. cx16 is left out because the kernels panic with it under
// QEMU 7.2; hardware virtualization is never used: where it is offered, it may be another emulation that hangs.
func machineArgs(b base) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc-i440fx-7.2", "-accel", "tcg,thread=multi,tb-size=512",
		"-cpu", "max,-cx16", "-m", "2048", "-smp", "2", "-nic", "none",
		"-kernel", b.kernel(), "-initrd", b.initrd(),
		"-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off audit=0 panic=-1",
		"-serial", "chardev:console", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
		"-device", "virtio-blk-pci,drive=disk",
	}
	for i := range wire.Ports {
		args = append(args, "-device", fmt.Sprintf("virtserialport,chardev=agent%d,name=%s%d", i, wire.PortPrefix, i))
	}
	return args
}

// Drive is a disk that is plugged in: an image, and the name by which the machine finds it as /dev/disk/by-id/virtio-NAME. What
// the machine writes there is lost with it.
type Drive struct{ Name, Image string }

// hostArgs are what of the command line has no part in the machine's state: files and sockets in the machine's directory.
func hostArgs(dir string, disk string, keep bool, drives []Drive) []string {
	snapshot := "on"
	if keep {
		snapshot = "off"
	}
	args := []string{
		"-qmp", "unix:" + filepath.Join(dir, "qmp") + ",server=on,wait=off",
		"-chardev", "file,id=console,path=" + filepath.Join(dir, "console"),
		"-drive", "if=none,id=disk,format=raw,cache=unsafe,discard=unmap,snapshot=" + snapshot + ",file=" + disk,
	}
	for i := range wire.Ports {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=agent%d,server=on,wait=off,path=%s", i, port(dir, i)))
	}
	for _, d := range drives {
		args = append(args, "-drive", fmt.Sprintf("if=none,id=%s,format=raw,cache=unsafe,snapshot=on,file=%s", d.Name, d.Image))
	}
	return args
}

// port is the socket of one of the agent's ports.
func port(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("agent%d", i)) }
