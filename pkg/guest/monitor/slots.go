package monitor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/calls"
	"github.com/sysct/sysct/pkg/views/fuse"
)

// Layout of the shared memfd: two slots, written in turn. A SIGKILL in the
// middle of a write spoils one, and the other still has the state before it.
//
//	slot: 0 magic | 8 sequence | 16 length | 20 CRC-32C of sequence, length and data | 24 data
//
// Behind them is a page for calls of the guest that wait for an answer, see package calls;
// all zero: none does. Monitors of the first version made none. Then comes what
// was asked of the guest's views and not answered, see package fuse, and two slots more
// for what their figures were, see figuresRun.
const (
	slotMagic  = 0x65666974637973 // "systife"
	slotHeader = 24
	slotSize   = 8 << 10
	slotCount  = 2
	callAt     = slotCount * slotSize
	viewAt     = callAt + calls.SlotsSize
	figuresAt  = viewAt + fuse.SlotSize
	figureSize = 32 << 10
	sharedSize = figuresAt + slotCount*figureSize
)

// slots keeps a Life in a memfd.
type slots struct {
	fd   int
	seq  uint64
	last []byte // what was written last
	buf  []byte // scratch, of write
}

// newSlots makes an empty memfd.
func newSlots() (*slots, error) {
	fd, err := unix.MemfdCreate("sysct-life", unix.MFD_CLOEXEC)
	if err == nil {
		err = unix.Ftruncate(fd, sharedSize)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make shared memory: %w", err)
	}
	return &slots{fd: fd}, nil
}

// openSlots takes over what a monitor before this one wrote. A memfd in which
// it had not yet written anything gives a nil Life.
func openSlots(fd int) (*slots, *Life, error) {
	s := &slots{fd: fd}
	s.seq, s.last = newest(fd, 0, slotSize)
	if s.last == nil {
		return s, nil, nil
	}
	var life Life
	if err := json.Unmarshal(s.last, &life); err != nil {
		return nil, nil, fmt.Errorf("cannot read shared state: %w", err)
	}
	return s, &life, nil
}

// calls maps the page of the calls that wait.
func (s *slots) calls() ([]byte, error) { return s.mapped(callAt, calls.SlotsSize, 0) }

// view maps the place of a request to the views. It is locked: see [fuse.New].
func (s *slots) view() ([]byte, error) { return s.mapped(viewAt, fuse.SlotSize, unix.MAP_LOCKED) }

// mapped is a part of the shared memory, which an older monitor may have made too small.
func (s *slots) mapped(at int64, size, flags int) ([]byte, error) {
	var st unix.Stat_t
	err := unix.Fstat(s.fd, &st)
	if err == nil && st.Size < sharedSize {
		err = unix.Ftruncate(s.fd, sharedSize)
	}
	var page []byte
	if err == nil {
		page, err = unix.Mmap(s.fd, at, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|flags)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use shared memory: %w", err)
	}
	return page, nil
}

// save writes the life, unless it is what was written last.
func (s *slots) save(life *Life) error {
	data, err := json.Marshal(life)
	if err != nil {
		return fmt.Errorf("cannot write shared state: %w", err)
	}
	if string(data) == string(s.last) {
		return nil
	}
	if err := s.write(0, slotSize, s.seq+1, data); err != nil {
		return err
	}
	s.seq++
	s.last = data
	return nil
}

// write writes one of the two slots of a size that begin at an offset.
func (s *slots) write(at, size int64, seq uint64, data []byte) error {
	if len(data) > int(size)-slotHeader {
		return errors.New("cannot write shared state: it is too long")
	}
	buf := binary.LittleEndian.AppendUint64(s.buf[:0], slotMagic)
	buf = binary.LittleEndian.AppendUint64(buf, seq)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(data)))
	buf = binary.LittleEndian.AppendUint32(buf, slotSum(buf[8:20], data))
	buf = append(buf, data...)
	s.buf = buf
	if _, err := unix.Pwrite(s.fd, buf, at+int64(seq%slotCount)*size); err != nil {
		return fmt.Errorf("cannot write shared state: %w", os.NewSyscallError("pwrite", err))
	}
	return nil
}

// newest reads what was written last into the two slots of a size that begin at an offset;
// nil: nothing was.
func newest(fd int, at, size int64) (seq uint64, data []byte) {
	for i := range int64(slotCount) {
		n, d := readSlot(fd, at+i*size, size)
		if d != nil && n > seq {
			seq, data = n, d
		}
	}
	return seq, data
}

// readSlot gives a slot's sequence number and data; no data if it isn't whole.
func readSlot(fd int, at, limit int64) (uint64, []byte) {
	head := make([]byte, slotHeader)
	if n, err := unix.Pread(fd, head, at); err != nil || n != slotHeader {
		return 0, nil
	}
	seq := binary.LittleEndian.Uint64(head[8:])
	size := binary.LittleEndian.Uint32(head[16:])
	if binary.LittleEndian.Uint64(head) != slotMagic || size == 0 || int64(size) > limit-slotHeader {
		return 0, nil
	}
	data := make([]byte, size)
	if n, err := unix.Pread(fd, data, at+slotHeader); err != nil || n != int(size) {
		return 0, nil
	}
	if slotSum(head[8:20], data) != binary.LittleEndian.Uint32(head[20:]) {
		return 0, nil
	}
	return seq, data
}

// slotSum is CRC-32C (RFC 3720, 12.1), bit by bit: it is taken of a few hundred
// bytes now and then, and the tables that make it fast are 20 KiB in each monitor.
func slotSum(head, data []byte) uint32 {
	const polynomial = 0x82f63b78
	sum := ^uint32(0)
	for _, part := range [][]byte{head, data} {
		for _, b := range part {
			sum ^= uint32(b)
			for range 8 {
				sum = sum>>1 ^ polynomial&-(sum&1)
			}
		}
	}
	return ^sum
}
