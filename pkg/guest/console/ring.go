package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Layout of the memfd: a header, then the data. Version 1 has a page of header: most
// ttys show less than a page, and have two with that.
//
//	0 magic | 8 version | 16 capacity | 24 claimed | 32 written | 40 mark | 48 clean | 56 reading | 64 data
//
// claimed and written count all bytes since the ring was made. A write claims the room
// first, copies, and counts the bytes as written last: a SIGKILL in between leaves
// claimed > written, and what the claim covers is then neither read as old output nor
// as new.
//
// What a pty gives exists nowhere else, so it is read straight into claimed room, which
// was zeroed before, up to clean: after a SIGKILL within the read the next process finds
// how far it came (but for zeros at its end), if reading isn't 0. mark says what of all that is in the log
// (mark.go). All three are 0 in rings of the programs before.
const (
	ringMagic   = 0x676e697274637973 // "sysctring" without its last byte
	ringVersion = 2
	ringHeader  = 64
	ringHeader1 = 4096 // of version 1
	ringMax     = 64 << 20
	ringSeals   = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
)

// MinRing is the smallest capacity of a ring in bytes.
const MinRing = 4096

// Ring holds the last bytes of a tty in a memfd, so that another process that
// holds the descriptor finds them after this one was killed at any point. It has
// one writer at a time.
type Ring struct {
	fd      int
	mem     []byte
	data    []byte
	claimed *atomic.Uint64
	written *atomic.Uint64
	mark    *atomic.Uint64
	clean   *atomic.Uint64
	reading *atomic.Uint64
}

// NewRing makes a ring of size bytes, rounded up to whole pages of 4096. Memory
// is used only for the pages that were written to.
func NewRing(size int) (*Ring, error) {
	if size < 1 || size > ringMax {
		return nil, fmt.Errorf("cannot make a ring of %d bytes: not within 1 and %d", size, ringMax)
	}
	size = (size + MinRing - 1) / MinRing * MinRing
	fd, err := unix.MemfdCreate("sysct-ring", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make a memfd for a ring: %w", err)
	}
	r, err := fillRing(fd, size)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot make a ring of %d bytes: %w", size, err)
	}
	return r, nil
}

func fillRing(fd, size int) (*Ring, error) {
	if err := unix.Ftruncate(fd, int64(ringHeader+size)); err != nil {
		return nil, os.NewSyscallError("ftruncate", err)
	}
	// A sealed size means that no access to the mapping can raise SIGBUS.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, ringSeals); err != nil {
		return nil, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	r, err := mapRing(fd, ringHeader, size)
	if err != nil {
		return nil, err
	}
	binary.NativeEndian.PutUint64(r.mem[8:], ringVersion)
	binary.NativeEndian.PutUint64(r.mem[16:], uint64(size))
	binary.NativeEndian.PutUint64(r.mem[0:], ringMagic)
	return r, nil
}

func mapRing(fd, header, size int) (*Ring, error) {
	mem, err := unix.Mmap(fd, 0, header+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &Ring{
		fd:      fd,
		mem:     mem,
		data:    mem[header:],
		claimed: (*atomic.Uint64)(unsafe.Pointer(&mem[24])),
		written: (*atomic.Uint64)(unsafe.Pointer(&mem[32])),
		mark:    (*atomic.Uint64)(unsafe.Pointer(&mem[40])),
		clean:   (*atomic.Uint64)(unsafe.Pointer(&mem[48])),
		reading: (*atomic.Uint64)(unsafe.Pointer(&mem[56])),
	}, nil
}

// OpenRing takes over a ring that another process made and has stopped writing
// to. It validates everything it will rely on. The descriptor is the ring's from
// then on, unless an error is returned.
func OpenRing(fd int) (*Ring, error) {
	r, err := openRing(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot open the ring in descriptor %d: %w", fd, err)
	}
	r.finishRead()
	return r, nil
}

// CheckRing says whether OpenRing would take a ring, which may be in use.
func CheckRing(fd int) error {
	r, err := openRing(fd)
	if err != nil {
		return fmt.Errorf("cannot open the ring in descriptor %d: %w", fd, err)
	}
	return unix.Munmap(r.mem)
}

func openRing(fd int) (*Ring, error) {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl(F_GET_SEALS)", err)
	}
	if seals&ringSeals != ringSeals {
		return nil, fmt.Errorf("seals are %#x, not %#x", seals, ringSeals)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	header, version := int64(ringHeader), uint64(ringVersion)
	if st.Size%MinRing == 0 {
		header, version = ringHeader1, 1
	}
	size := st.Size - header
	if size < MinRing || size > ringMax || size%MinRing != 0 {
		return nil, fmt.Errorf("%d bytes are no size of a ring", st.Size)
	}
	r, err := mapRing(fd, int(header), int(size))
	if err != nil {
		return nil, err
	}
	if err := r.check(version); err != nil {
		unix.Munmap(r.mem)
		return nil, err
	}
	return r, nil
}

func (r *Ring) check(want uint64) error {
	magic, version := binary.NativeEndian.Uint64(r.mem), binary.NativeEndian.Uint64(r.mem[8:])
	size := binary.NativeEndian.Uint64(r.mem[16:])
	claimed, written := r.claimed.Load(), r.written.Load()
	switch {
	case magic != ringMagic:
		return errors.New("it has no ring's magic number")
	case version != want:
		return fmt.Errorf("its version is %d, and its size is of version %d", version, want)
	case size != uint64(len(r.data)):
		return fmt.Errorf("its header says %d bytes, it has %d", size, len(r.data))
	case claimed < written || claimed-written > size:
		return fmt.Errorf("its positions %d and %d don't fit", written, claimed)
	}
	return nil
}

// Written is how many bytes were written since the ring was made.
func (r *Ring) Written() uint64 { return r.written.Load() }

// FD is the memfd, to be put into a fd store.
func (r *Ring) FD() int { return r.fd }

// Size is the capacity in bytes.
func (r *Ring) Size() int { return len(r.data) }

// End is the number of bytes written since the ring was made, by all writers.
func (r *Ring) End() uint64 { return r.written.Load() }

// Start is the position of the oldest byte that the ring still has.
func (r *Ring) Start() uint64 {
	claimed, size := r.claimed.Load(), uint64(len(r.data))
	if claimed < size {
		return 0
	}
	return min(claimed-size, r.written.Load())
}

// Write appends p; the oldest bytes go. Long writes are published in quarters of
// the ring, so that a SIGKILL in the middle costs no more than that of the past.
func (r *Ring) Write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), len(r.data)/4)
		end := r.written.Load()
		// Never back: a killed writer may have claimed, and spoilt, more.
		r.claimed.Store(max(r.claimed.Load(), end+uint64(n)))
		at := int(end % uint64(len(r.data)))
		k := copy(r.data[at:], p[:n])
		copy(r.data, p[k:n])
		r.written.Store(end + uint64(n))
		p = p[n:]
	}
}

// readRoom is what is claimed for a read: a pty gives less at a time.
const readRoom = 4096

// readFrom appends what one read(2) of fd gives. It returns as [readNow].
func (r *Ring) readFrom(fd int) (int, error) {
	end := r.written.Load()
	at := int(end % uint64(len(r.data)))
	room := r.data[at:min(at+readRoom, len(r.data))]
	r.claimClean(end, end+uint64(len(room)))
	r.reading.Store(1)
	n, err := readNow(fd, room)
	if n > 0 {
		r.written.Store(end + uint64(n))
	}
	r.reading.Store(0)
	return n, err
}

// claimClean claims room from the end on, and zeroes what of it isn't zero.
func (r *Ring) claimClean(end, to uint64) {
	claimed, clean := r.claimed.Load(), r.clean.Load()
	if clean >= to {
		return
	}
	r.claimed.Store(max(claimed, to))
	// Until it is full for the first time, what nobody has claimed was never touched.
	if to > uint64(len(r.data)) || clean < claimed {
		from := max(clean, end)
		at, n := int(from%uint64(len(r.data))), int(to-from)
		k := min(n, len(r.data)-at)
		clear(r.data[at : at+k])
		clear(r.data[:n-k])
	}
	r.clean.Store(to)
}

// finishRead counts what a killed process had read and not counted.
func (r *Ring) finishRead() {
	written, clean := r.written.Load(), r.clean.Load()
	if r.reading.Swap(0) == 0 || clean > r.claimed.Load() {
		return // nothing was under way, and no page is to be touched that is empty
	}
	for at := clean; at > written; at-- {
		if r.data[(at-1)%uint64(len(r.data))] != 0 {
			r.written.Store(at)
			return
		}
	}
}

// view returns the bytes from position from, which must be within Start and End,
// up to End, as up to two pieces of the mapping itself.
func (r *Ring) view(from uint64) (head, rest []byte) {
	n := int(r.written.Load() - from)
	at := int(from % uint64(len(r.data)))
	if at+n <= len(r.data) {
		return r.data[at : at+n], nil
	}
	return r.data[at:], r.data[:at+n-len(r.data)]
}

// Last copies the last n bytes, or what there is of them.
func (r *Ring) Last(n int) []byte {
	end := r.End()
	head, rest := r.view(max(r.Start(), end-min(end, uint64(n))))
	return append(append(make([]byte, 0, n), head...), rest...)
}

// Snapshot copies what the ring has, oldest byte first.
func (r *Ring) Snapshot() []byte {
	head, rest := r.view(r.Start())
	return append(append(make([]byte, 0, len(head)+len(rest)), head...), rest...)
}

// Close unmaps the ring and closes its descriptor; other holders keep theirs.
func (r *Ring) Close() error {
	err := unix.Munmap(r.mem)
	r.mem, r.data = nil, nil
	return errors.Join(err, unix.Close(r.fd))
}
