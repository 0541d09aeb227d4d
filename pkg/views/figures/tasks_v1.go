package figures

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views"
)

// groupStats asks the kernel, by generic netlink, how many tasks of a v1 group are
// in which state. The kernel refuses groups of version 2. The guest has no groups of
// version 1 below its own, so this is all of it.
// Source: include/uapi/linux/cgroupstats.h, kernel/cgroup/cgroup-v1.c, cgroupstats_build.
type groupStats struct {
	socket, dir int
	family      uint16
	buf         [512]byte
}

// The numbers that x/sys lacks.
const (
	cgroupStatsGet    = 4 // CGROUPSTATS_CMD_GET
	cgroupStatsAttrFD = 1 // CGROUPSTATS_CMD_ATTR_FD
)

// openGroupStats gives nil if the kernel has no such figures.
func openGroupStats(dir int) *groupStats {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	g := &groupStats{dir: fd, socket: -1}
	if g.socket, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_GENERIC); err == nil {
		answer := g.ask(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, unix.CTRL_ATTR_FAMILY_NAME, append([]byte("TASKSTATS"), 0))
		if id := attribute(answer, unix.CTRL_ATTR_FAMILY_ID); len(id) >= 2 {
			g.family = binary.NativeEndian.Uint16(id)
		}
	}
	if _, ok := g.read(); !ok {
		g.close()
		return nil
	}
	return g
}

func (g *groupStats) close() {
	unix.Close(g.dir)
	if g.socket >= 0 {
		unix.Close(g.socket)
	}
}

func (g *groupStats) read() (t views.Tasks, ok bool) {
	if g.family == 0 {
		return t, false
	}
	fd := binary.NativeEndian.AppendUint32(nil, uint32(g.dir))
	figures := attribute(g.ask(g.family, cgroupStatsGet, cgroupStatsAttrFD, fd), 1)
	if len(figures) < 40 {
		return t, false
	}
	// Sleeping, running, stopped, uninterruptible, waiting for I/O. Those that sleep but
	// may be frozen are in none of them since Linux 6.1: there is no total.
	at := func(i int) uint64 { return binary.NativeEndian.Uint64(figures[8*i:]) }
	return views.Tasks{Running: at(1), Blocked: at(3) + at(4)}, true
}

// ask sends a request with one attribute, and gives the attributes of the answer. The
// kernel answers before the request returns, so nothing is waited for.
func (g *groupStats) ask(family uint16, command uint8, attr uint16, value []byte) []byte {
	const header = unix.NLMSG_HDRLEN + unix.GENL_HDRLEN
	b := g.buf[:header+unix.SizeofNlAttr]
	clear(b)
	b = append(b, value...)
	length := len(b)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	e := binary.NativeEndian
	e.PutUint32(b, uint32(len(b)))
	e.PutUint16(b[4:], family)
	e.PutUint16(b[6:], unix.NLM_F_REQUEST)
	b[unix.NLMSG_HDRLEN], b[unix.NLMSG_HDRLEN+1] = command, 1
	e.PutUint16(b[header:], uint16(length-header))
	e.PutUint16(b[header+2:], attr)
	if err := unix.Sendto(g.socket, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil
	}
	n, err := unix.Read(g.socket, g.buf[:])
	if err != nil || n < header || e.Uint16(g.buf[4:]) != family {
		return nil
	}
	return g.buf[header:n]
}

// attribute finds the value of an attribute.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= unix.SizeofNlAttr {
		length, k := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if length < unix.SizeofNlAttr || length > len(b) {
			return nil
		}
		if k&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == kind {
			return b[unix.SizeofNlAttr:length]
		}
		b = b[min(len(b), (length+3)&^3):]
	}
	return nil
}
