package calls

import (
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
)

// errFault says that the caller gave no memory that can be written to.
var errFault = errors.New("the caller's memory can't be written to")

// writer writes to the memory of callers, and remembers of some pages that they may.
type writer struct {
	path  [32]byte
	mem   int // what was written to last; 0: it is closed
	known [64]page
}

// page is one of a thread's memory that was seen to be writable.
type page struct {
	pid    uint32
	number uint64
}

const pageShift = 12

// write puts data at addr in the memory of the caller of n. seccomp.ErrNone: it has gone.
// It may block for as long as the guest likes. close comes after it.
//
// The memory is opened, then the call is seen to wait still, then written to: a pid may be
// another process's at any moment before, and that of the host even. process_vm_writev(2)
// would be quicker, but goes by the pid.
func (w *writer) write(listener int, n *seccomp.Notification, addr uint64, data []byte) error {
	fd, err := w.open(n.Pid, "mem", unix.O_WRONLY)
	if err != nil {
		return err
	}
	w.mem = fd
	if !seccomp.Valid(listener, n.ID) {
		return seccomp.ErrNone
	}
	if addr > 1<<63-1 || !w.writable(n.Pid, addr, len(data)) {
		return errFault
	}
	if done, err := unix.Pwrite(fd, data, int64(addr)); err != nil || done != len(data) {
		return errFault
	}
	return nil
}

// close comes when the caller has its answer, which needn't wait for it.
func (w *writer) close() {
	if w.mem > 0 {
		unix.Close(w.mem)
		w.mem = 0
	}
}

// writable says whether the kernel itself would write there: to what is mapped read-only
// /proc/PID/mem writes as a debugger would. Kernels before 6.11 can't be asked, and it is
// done there.
func (w *writer) writable(pid uint32, addr uint64, size int) bool {
	known := &w.known[(uint64(pid)+addr>>pageShift)%uint64(len(w.known))]
	this := page{pid, addr >> pageShift}
	within := (addr+uint64(size)-1)>>pageShift == this.number
	if within && *known == this {
		return true
	}
	fd, err := w.open(pid, "maps", unix.O_RDONLY)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	for at, end := addr, addr+uint64(size); at < end; {
		q := mapQuery{size: uint64(unsafe.Sizeof(mapQuery{})), addr: at}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), mapQueryRequest, uintptr(unsafe.Pointer(&q)))
		switch {
		case errno == unix.ENOTTY:
			return true
		case errno != 0 || q.vmaFlags&mapWritable == 0:
			return false
		}
		at = q.end
	}
	if within {
		*known = this
	}
	return true
}

// mapQuery is struct procmap_query of linux/fs.h.
type mapQuery struct {
	size, flags, addr                             uint64
	start, end, vmaFlags, pageSize, offset, inode uint64
	major, minor, nameSize, buildIDSize           uint32
	nameAddr, buildIDAddr                         uint64
}

const (
	mapQueryRequest = 0xc0686611 // PROCMAP_QUERY
	mapWritable     = 2          // PROCMAP_QUERY_VMA_WRITABLE
)

// open opens a file of /proc/PID. The path is put together here because it is done for each
// call: nothing is allocated.
func (w *writer) open(pid uint32, name string, flags int) (int, error) {
	p := append(w.path[:0], "/proc/"...)
	p = strconv.AppendUint(p, uint64(pid), 10)
	p = append(append(append(p, '/'), name...), 0)
	for {
		at := unix.AT_FDCWD
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&p[0])), uintptr(flags|unix.O_CLOEXEC|unix.O_LARGEFILE), 0, 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR:
		case unix.ENOENT, unix.ESRCH:
			return -1, seccomp.ErrNone
		default:
			return -1, errno
		}
	}
}
