package seccomp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// i386Program returns a 32-bit program that makes one system call by int 0x80 and exits
// with its errno. No 32-bit toolchain is needed: it is one ELF segment of 32 bytes of code.
func i386Program(number int32, ebx, ecx, edx uint32) []byte {
	const base, headers = 0x08048000, 52 + 32
	le := binary.LittleEndian
	code := le.AppendUint32([]byte{0xb8}, uint32(number))   // mov eax, number
	code = le.AppendUint32(append(code, 0xbb), ebx)         // mov ebx, …
	code = le.AppendUint32(append(code, 0xb9), ecx)         // mov ecx, …
	code = le.AppendUint32(append(code, 0xba), edx)         // mov edx, …
	code = append(code, 0xcd, 0x80, 0xf7, 0xd8, 0x89, 0xc3) // int 0x80; neg eax; mov ebx, eax
	code = append(code, 0xb8, 1, 0, 0, 0, 0xcd, 0x80)       // mov eax, 1; int 0x80
	size := uint32(headers + len(code))
	var b bytes.Buffer
	b.WriteString("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, field := range []any{
		uint16(2), uint16(3), uint32(1), uint32(base + headers), uint32(52), uint32(0), uint32(0), // executable, i386
		uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), size, size, uint32(5), uint32(4096), // one loaded segment
	} {
		binary.Write(&b, le, field)
	}
	b.Write(code)
	return b.Bytes()
}

// TestKernelDeniesI386 makes denied calls through the 32-bit entry of the kernel.
func TestKernelDeniesI386(t *testing.T) {
	for _, c := range []struct {
		name          string
		want          unix.Errno
		ebx, ecx, edx uint32
	}{
		{"kexec_load", unix.EPERM, 0, 1 << 20, 0}, {"init_module", unix.EPERM, 1, 0, 1},
		{"bpf", unix.EPERM, 9999, 0, 0}, {"stime", unix.EPERM, 1, 0, 0},
		{"clock_settime", unix.EPERM, 9999, 0, 0}, {"clock_settime64", unix.EPERM, 9999, 0, 0},
		{"settimeofday", unix.EPERM, 1, 0, 0}, {"open_by_handle_at", unix.EPERM, ^uint32(0), 1, 0},
		{"userfaultfd", unix.EPERM, 0xffff, 0, 0}, {"iopl", unix.EPERM, 99, 0, 0},
		{"ioctl", unix.EPERM, ^uint32(0), unix.TIOCSTI, 0}, {"syslog", unix.EPERM, 99, 0, 0},
		{"io_uring_setup", unix.ENOSYS, 1, 0, 0}, {"keyctl", unix.ENOSYS, 9999, 0, 0},
		{"socket", unix.EAFNOSUPPORT, unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		{"socket", unix.EAFNOSUPPORT, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT},
		{"close", unix.EBADF, ^uint32(0), 0, 0},
	} {
		path := filepath.Join(t.TempDir(), "call")
		if err := os.WriteFile(path, i386Program(find(t, c.name).i386, c.ebx, c.ecx, c.edx), 0o700); err != nil {
			t.Fatal(err)
		}
		free, filtered := errnoOf(t, "", path), errnoOf(t, "exec", path)
		if filtered != c.want || c.want == unix.EPERM && free == c.want {
			t.Errorf("%s: %s, without the filter %s, want %s", c.name, unix.ErrnoName(filtered), unix.ErrnoName(free), unix.ErrnoName(c.want))
		}
	}
}

// errnoOf runs the program, behind the filter if a role is given, and returns its exit status.
func errnoOf(t *testing.T, role, path string) unix.Errno {
	t.Helper()
	c := exec.Command(path)
	if role != "" {
		c = exec.Command("/proc/self/exe", path)
		c.Env = append(os.Environ(), childRole+"="+role)
	}
	err := c.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() < 1 {
		t.Fatalf("%s: %v", path, err)
	}
	return unix.Errno(exit.ExitCode())
}
