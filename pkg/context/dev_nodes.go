package context

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
)

// openNodes opens this system's own nodes for those that could not be made, as detached
// mounts. A node that isn't here stays an empty file that nobody can open for a device.
func (l *launch) openNodes(files []string) error {
	if len(files) > 0 && l.nodes == nil {
		l.nodes = map[string]int{}
	}
	for _, name := range files {
		source := l.spec.nodeSource(name)
		fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if errors.Is(err, unix.ENOENT) {
			l.warn("the guest has no /dev/" + name + ": there is none here, and no node can be made in a user namespace")
			continue
		}
		if err != nil {
			return &mounts.CallError{Call: "open_tree", Path: source, Err: err}
		}
		l.nodes[name] = fd
	}
	return nil
}

// nodeSource is where this system has the node that the guest is to have as name.
func (s *Spec) nodeSource(name string) string {
	i := slices.IndexFunc(s.Devices, func(d Device) bool { return d.Name == name && d.Path != "" })
	if i >= 0 {
		return s.Devices[i].Path
	}
	return "/dev/" + name
}

// addNodes hands them over, to be mounted as soon as /dev is: masks are made of /dev/null.
func (l *launch) addNodes(m *proto.Message, fds *[]int) {
	at := 1 + slices.IndexFunc(m.Setup.Mounts, func(op mounts.Op) bool { return op.FD == proto.FDDev })
	for name, fd := range l.nodes {
		m.FDs, *fds = append(m.FDs, "node-"+name), append(*fds, fd)
		op := mounts.Op{Kind: mounts.KindFD, FD: "node-" + name, Target: "dev/" + name, Attr: mounts.AttrNosuid | mounts.AttrNoexec}
		m.Setup.Mounts = slices.Insert(m.Setup.Mounts, at, op)
	}
}

func (l *launch) dropNodes() {
	for name, fd := range l.nodes {
		unix.Close(fd)
		delete(l.nodes, name)
	}
}

func (l *launch) warn(line string) {
	if l.opt.Warn != nil {
		l.opt.Warn(line)
	}
}
