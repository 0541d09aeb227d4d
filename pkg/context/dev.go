package context

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/limits/devices"
)

// node is an entry of the guest's /dev.
type node struct {
	name  string
	mode  uint32 // with the type
	major uint32
	minor uint32
	uid   uint32 // the guest's
	gid   uint32
	link  string // target of a symbolic link
}

// devNodes is the guest's /dev, parents first. Nothing of the host's is in it.
func devNodes() []node {
	const chr, dir, reg, lnk = unix.S_IFCHR, unix.S_IFDIR, unix.S_IFREG, unix.S_IFLNK
	const ttyGroup = 5
	return []node{
		{name: "null", mode: chr | 0o666, major: 1, minor: 3},
		{name: "zero", mode: chr | 0o666, major: 1, minor: 5},
		{name: "full", mode: chr | 0o666, major: 1, minor: 7},
		{name: "random", mode: chr | 0o666, major: 1, minor: 8},
		{name: "urandom", mode: chr | 0o666, major: 1, minor: 9},
		{name: "tty", mode: chr | 0o666, major: 5, minor: 0, gid: ttyGroup},
		{name: "console", mode: reg | 0o600, gid: ttyGroup},
		{name: "pts", mode: dir | 0o755},
		{name: "shm", mode: dir | 0o755},
		{name: "mqueue", mode: dir | 0o755},
		{name: ".sysct", mode: dir | 0o700},
		{name: ".sysct/proc", mode: dir | 0o555},
		{name: ".sysct/sys", mode: dir | 0o555},
		{name: ".sysct/views", mode: dir | 0o555},
		{name: ".sysct/boot_id", mode: reg | 0o444},
		{name: "ptmx", mode: lnk, link: "pts/ptmx"},
		{name: "fd", mode: lnk, link: "/proc/self/fd"},
		{name: "stdin", mode: lnk, link: "/proc/self/fd/0"},
		{name: "stdout", mode: lnk, link: "/proc/self/fd/1"},
		{name: "stderr", mode: lnk, link: "/proc/self/fd/2"},
		{name: "core", mode: lnk, link: "/proc/kcore"},
	}
}

// deviceNodes are the nodes of devices, and the directories that they are in, parents first.
func deviceNodes(list []Device) []node {
	var nodes []node
	made := map[string]bool{}
	for _, d := range list {
		if d.Name == "" {
			continue
		}
		for i, c := range d.Name {
			if dir := d.Name[:i]; c == '/' && !made[dir] {
				made[dir] = true
				nodes = append(nodes, node{name: dir, mode: unix.S_IFDIR | 0o755})
			}
		}
		kind := uint32(unix.S_IFCHR)
		if d.Rule.Type == devices.Block {
			kind = unix.S_IFBLK
		}
		nodes = append(nodes, node{name: d.Name, mode: kind | d.Mode, major: uint32(d.Rule.Major), minor: uint32(d.Rule.Minor), uid: d.UID, gid: d.GID})
	}
	return nodes
}

// newDev makes the guest's /dev as a detached tmpfs. The host makes it, in its
// own user namespace: device nodes of a tmpfs that the guest mounts are dead
// (SB_I_NODEV), and mknod is not the guest's to call.
//
// A sysct in a user namespace makes no nodes either: there files are made in their places,
// over which those of its own /dev are to be mounted. They are returned.
func newDev(ids ns.IDRange, more []Device) (fd int, files []string, err error) {
	root := strconv.FormatUint(uint64(ids.Base), 10)
	fd, err = mounts.New("tmpfs", "dev", []mounts.Option{{Key: "mode", Value: "0755"}, {Key: "size", Value: "500k"},
		{Key: "nr_inodes", Value: "1k"}, {Key: "uid", Value: root}, {Key: "gid", Value: root}}, mounts.AttrNosuid|mounts.AttrNoexec)
	if err != nil {
		return -1, nil, err
	}
	for _, n := range append(devNodes(), deviceNodes(more)...) {
		kind := n.mode & unix.S_IFMT
		err := makeNode(fd, n, ids)
		if errors.Is(err, unix.EPERM) && (kind == unix.S_IFCHR || kind == unix.S_IFBLK) {
			files = append(files, n.name)
			n.mode = unix.S_IFREG
			err = makeNode(fd, n, ids)
		}
		if err != nil {
			unix.Close(fd)
			return -1, nil, err
		}
	}
	if err := writeBootID(fd); err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, files, nil
}

func makeNode(dir int, n node, ids ns.IDRange) error {
	var err error
	switch n.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = unix.Mkdirat(dir, n.name, 0o700)
	case unix.S_IFLNK:
		err = unix.Symlinkat(n.link, dir, n.name)
	default:
		err = unix.Mknodat(dir, n.name, n.mode&unix.S_IFMT|0o600, int(unix.Mkdev(n.major, n.minor)))
	}
	if err != nil {
		return &mounts.CallError{Call: "mknodat", Path: "/dev/" + n.name, Err: err}
	}
	if err := unix.Fchownat(dir, n.name, int(ids.Base+n.uid), int(ids.Base+n.gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &mounts.CallError{Call: "fchownat", Path: "/dev/" + n.name, Err: err}
	}
	if n.link != "" {
		return nil
	}
	// After the chown, and not by mknod's mode, which the umask cuts.
	if err := unix.Fchmodat(dir, n.name, n.mode&^unix.S_IFMT, 0); err != nil {
		return &mounts.CallError{Call: "fchmodat", Path: "/dev/" + n.name, Err: err}
	}
	return nil
}

// writeBootID gives the guest a boot id of its own: the kernel's is the host's
// and stays the same over the guest's boots, which mixes them in its journal.
func writeBootID(dev int) error {
	var b [16]byte
	unix.Getrandom(b[:], 0)                     // can't fail: so few bytes come whole, from Linux 5.6 on
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a random UUID: RFC 9562, 5.4
	fd, err := unix.Openat(dev, ".sysct/boot_id", unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &mounts.CallError{Call: "openat", Path: "/dev/.sysct/boot_id", Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, fmt.Appendf(nil, "%x-%x-%x-%x-%x\n", b[:4], b[4:6], b[6:8], b[8:10], b[10:])); err != nil {
		return &mounts.CallError{Call: "write", Path: "/dev/.sysct/boot_id", Err: err}
	}
	return nil
}
