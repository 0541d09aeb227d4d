package calls

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// i386Program is a 32-bit program that calls sysinfo(2) and writes to its standard output
// what it was given. No 32-bit toolchain is needed: it is one ELF segment.
func i386Program() []byte {
	const base, headers, buffer, size = 0x08048000, 52 + 32, 0x08048800, 64
	le := binary.LittleEndian
	code := le.AppendUint32([]byte{0xb8, 116, 0, 0, 0, 0xbb}, buffer)                      // mov eax, 116; mov ebx, buffer
	code = append(code, 0xcd, 0x80)                                                        // int 0x80
	code = le.AppendUint32(append(code, 0xb8, 4, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xb9), buffer) // mov eax, 4; mov ebx, 1; mov ecx, buffer
	code = append(code, 0xba, size, 0, 0, 0, 0xcd, 0x80)                                   // mov edx, size; int 0x80
	code = append(code, 0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80)                          // mov eax, 1; xor ebx, ebx; int 0x80
	var b bytes.Buffer
	b.WriteString("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, field := range []any{
		uint16(2), uint16(3), uint32(1), uint32(base + headers), uint32(52), uint32(0), uint32(0), // executable, i386
		uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), uint32(headers + len(code)), uint32(4096), uint32(7), uint32(4096), // one segment, loaded to be written to
	} {
		binary.Write(&b, le, field)
	}
	b.Write(code)
	return b.Bytes()
}

// TestI386: programs of 32 bits have a structure of their own, and a unit that makes large
// figures fit.
func TestI386(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, i386Program(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ total, shown, unit uint32 }{{256, 256 << 20, 1}, {8192, 8192 << 8, 4096}} {
		s := newSite(t, nil)
		s.memoryMiB = uint64(c.total)
		cmd, wait := s.run("exec " + path)
		if err := wait(); err != nil {
			t.Fatal(err)
		}
		var got [16]uint32
		if err := binary.Read(cmd.Stdout.(*bytes.Buffer), binary.LittleEndian, &got); err != nil {
			t.Fatal(err)
		}
		// uptime, loads, total, free, shared, buffer, swap, free swap, processes, two for high memory, unit
		want := [16]uint32{42, 65536, 32768, 0, c.shown, 100 << 20 / c.unit, 1 << 20 / c.unit, 0, 64 << 20 / c.unit, 32 << 20 / c.unit, 7, 0, 0, c.unit}
		if got != want {
			t.Errorf("%d MiB: %v, want %v", c.total, got, want)
		}
	}
}
