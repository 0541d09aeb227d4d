package enter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
)

// block is all the memory that the child touches. The parent fills it, so
// that the child neither allocates nor converts; the child writes only to
// fields without pointers, since a pointer store could run a write barrier.
type block struct {
	clone  cloneArgs
	pidfd  int32   // of the child; written by clone3 in the parent
	flags  uintptr // namespaces that the child joins itself
	join   []int32
	source [5]uintptr // 0..2, the report socket, target: before and after they are moved up
	report uintptr    // the report socket's descriptor at each moment
	record [2]uint32  // step, errno: of the last call, and what is reported
	value  uintptr    // the last call's result
	tty    bool

	groups   []uint32
	uid, gid uintptr
	keep     uint64
	keepUser uint64 // keep for user 0, nothing for others
	caps     [2]unix.CapUserData
	header   unix.CapUserHeader
	filter   unix.SockFprog
	deaf     unix.SockFprog // for where there can be no listener
	listen   bool
	handOver unix.Msghdr // the message with the listener
	content  unix.Iovec
	mark     [2]uint32
	rights   rights

	zero      [1]byte // "0", what joins a v1 group
	action    [8]uint64
	mask      uint64
	nofile    unix.Rlimit
	limits    []limit
	ownFiles  bool // limits has that of open files
	directory *byte
	cwd       [unix.PathMax]byte

	paths      []*byte
	argv, envv []*byte
}

type limit struct {
	resource uintptr
	value    unix.Rlimit
}

// cloneArgs is struct clone_args of clone3(2) as of Linux 5.7.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// rights is a control message with one descriptor.
type rights struct {
	header unix.Cmsghdr
	fd     int32
	_      int32
}

// addFilter readies the filter, and the message that a listener is handed over by.
func (b *block) addFilter(t *Target) {
	if len(t.Filter) == 0 {
		return
	}
	b.filter = unix.SockFprog{Len: uint16(len(t.Filter)), Filter: &t.Filter[0]}
	if !t.Listen {
		return
	}
	deaf := slices.Clone(t.Filter)
	seccomp.Deafen(deaf)
	b.listen, b.deaf = true, unix.SockFprog{Len: uint16(len(deaf)), Filter: &deaf[0]}
	b.mark = [2]uint32{uint32(stepListener)}
	b.content.Base = (*byte)(unsafe.Pointer(&b.mark))
	b.content.SetLen(int(unsafe.Sizeof(b.mark)))
	b.rights.header = unix.Cmsghdr{Level: unix.SOL_SOCKET, Type: unix.SCM_RIGHTS}
	b.rights.header.SetLen(unix.CmsgLen(4))
	b.handOver.Iov = &b.content
	b.handOver.SetIovlen(1)
	b.handOver.Control = (*byte)(unsafe.Pointer(&b.rights))
	b.handOver.SetControllen(unix.CmsgSpace(4))
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// newBlock turns a request into the child's memory. The report socket is yet to
// be added.
func newBlock(t *Target, p *Process) (*block, error) {
	b := &block{
		flags:  uintptr(t.Flags &^ unix.CLONE_NEWPID),
		source: [5]uintptr{uintptr(p.Files[0]), uintptr(p.Files[1]), uintptr(p.Files[2]), fdTarget: uintptr(t.PidFD)},
		tty:    p.TTY,
		groups: append([]uint32(nil), p.Groups...),
		uid:    uintptr(p.UID),
		gid:    uintptr(p.GID),
		keep:   uint64(t.Keep),
		header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3},
		zero:   [1]byte{'0'},
	}
	b.clone = cloneArgs{flags: unix.CLONE_PIDFD, exitSignal: uint64(unix.SIGCHLD)}
	if t.LeafFD >= 0 {
		b.clone.flags |= unix.CLONE_INTO_CGROUP
		b.clone.cgroup = uint64(t.LeafFD)
	}
	for _, fd := range t.JoinFDs {
		b.join = append(b.join, int32(fd))
	}
	for _, r := range t.Rlimits {
		b.limits = append(b.limits, limit{uintptr(r.Resource), unix.Rlimit{Cur: r.Soft, Max: r.Hard}})
		b.ownFiles = b.ownFiles || r.Resource == unix.RLIMIT_NOFILE
	}
	if p.UID == 0 {
		b.keepUser = b.keep
	}
	b.addFilter(t)
	return b, b.addStrings(p)
}

func (b *block) addStrings(p *Process) (err error) {
	dir := p.Dir
	if dir == "" {
		dir = "/"
	}
	if b.directory, err = unix.BytePtrFromString(dir); err != nil {
		return fmt.Errorf("cannot use directory %q: %w", dir, err)
	}
	if b.argv, err = syscall.SlicePtrFromStrings(p.Args); err != nil {
		return fmt.Errorf("cannot use arguments: %w", err)
	}
	if b.envv, err = syscall.SlicePtrFromStrings(p.Env); err != nil {
		return fmt.Errorf("cannot use environment: %w", err)
	}
	for _, path := range candidates(p.Args[0], p.Env) {
		s, err := unix.BytePtrFromString(path)
		if err != nil {
			return fmt.Errorf("cannot use PATH: %w", err)
		}
		b.paths = append(b.paths, s)
	}
	return nil
}

// candidates returns the files that a command may be, in order. A relative
// directory in PATH is passed over: it would be one of the caller's choosing.
func candidates(command string, env []string) []string {
	if strings.Contains(command, "/") {
		return []string{command}
	}
	path := defaultPath
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
			break
		}
	}
	var out []string
	for dir := range strings.SplitSeq(path, ":") {
		if strings.HasPrefix(dir, "/") {
			out = append(out, strings.TrimSuffix(dir, "/")+"/"+command)
		}
	}
	return out
}

// maxGroups is the kernel's NGROUPS_MAX.
const maxGroups = 65536

// check refuses what would otherwise mean something else to the kernel: an id
// of -1 is "leave as it is" to setresuid.
func check(t *Target, p *Process) error {
	switch {
	case len(p.Args) == 0 || p.Args[0] == "":
		return errors.New("cannot enter guest: no command")
	case p.UID == noID || p.GID == noID:
		return fmt.Errorf("cannot enter guest: id %d is none", uint32(noID))
	case len(t.Filter) > unix.BPF_MAXINSNS:
		return fmt.Errorf("cannot enter guest: the filter is longer than %d", unix.BPF_MAXINSNS)
	case len(p.Groups) > maxGroups:
		return fmt.Errorf("cannot enter guest: %d groups are more than %d", len(p.Groups), maxGroups)
	}
	return nil
}

const noID = ^uint32(0)
