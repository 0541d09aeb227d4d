package calls

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views"
)

// Sizes of struct sysinfo as programs of 64 and of 32 bits have it, in bytes.
const (
	size64 = 112
	size32 = 64
)

// encode64 is struct sysinfo of the 64-bit architectures. b is zero.
func encode64(b *[size64]byte, f *views.SysinfoFigures) []byte {
	at := 0
	put := func(v uint64) {
		binary.NativeEndian.PutUint64(b[at:], v)
		at += 8
	}
	put(uint64(f.Uptime))
	for _, v := range f.Loads {
		put(v)
	}
	for _, v := range [...]uint64{f.TotalRAM, f.FreeRAM, f.SharedRAM, f.BufferRAM, f.TotalSwap, f.FreeSwap, uint64(f.Procs), f.TotalHigh, f.FreeHigh} {
		put(v) // the number of processes has 16 bits, with room up to 64
	}
	binary.NativeEndian.PutUint32(b[at:], f.Unit)
	return b[:]
}

// encode32 is struct compat_sysinfo. As the kernel does it: figures of memory that don't fit
// are given in a larger unit, a page at most. Source: kernel/sys.c.
func encode32(b *[size64]byte, f *views.SysinfoFigures) []byte {
	shift := 0
	for unit := f.Unit; (f.TotalRAM|f.TotalSwap)>>32 != 0 && unit < uint32(unix.Getpagesize()); unit <<= 1 {
		shift++
	}
	at := 0
	put := func(v uint64) {
		binary.NativeEndian.PutUint32(b[at:], uint32(v))
		at += 4
	}
	put(uint64(f.Uptime))
	for _, v := range f.Loads {
		put(v)
	}
	for _, v := range [...]uint64{f.TotalRAM, f.FreeRAM, f.SharedRAM, f.BufferRAM, f.TotalSwap, f.FreeSwap} {
		put(v >> shift)
	}
	put(uint64(f.Procs))
	put(f.TotalHigh >> shift)
	put(f.FreeHigh >> shift)
	put(uint64(f.Unit) << shift)
	return b[:size32]
}
