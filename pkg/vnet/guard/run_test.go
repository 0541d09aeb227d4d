package guard

import (
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/sysct/sysct/internal/bpf"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// runAttr is the part of union bpf_attr for BPF_PROG_TEST_RUN up to the duration.
type runAttr struct {
	prog, verdict, in, out uint32
	dataIn, dataOut        unsafe.Pointer
	repeat, duration       uint32
}

// load has the kernel take code.
func load(t testing.TB, code []bpf.Instruction) int {
	t.Helper()
	prog, err := bpf.Load(unix.BPF_PROG_TYPE_SCHED_CLS, "sysct_test", code)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(prog) })
	return prog
}

// passes runs a program in the kernel on a frame.
func passes(t rapid.TB, prog int, frame []byte) bool {
	attr := runAttr{prog: uint32(prog), in: uint32(len(frame)), dataIn: unsafe.Pointer(&frame[0]), repeat: 1}
	if _, err := bpf.Call(unix.BPF_PROG_TEST_RUN, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		t.Fatalf("cannot run the program on % x: %v", frame, err)
	}
	switch int32(attr.verdict) {
	case verdictPass:
		return true
	case verdictDrop:
		return false
	}
	t.Fatalf("verdict %d", int32(attr.verdict))
	return false
}

// The guest of the tests, and who else is on its network.
var (
	own4, peer4, gate4 = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.1")
	own6, peer6, gate6 = netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::3"), netip.MustParseAddr("fe80::1")
	ownMAC, peerMAC    = net.HardwareAddr{2, 0, 0, 0, 0, 2}, net.HardwareAddr{2, 0, 0, 0, 0, 3}
	gateMAC            = net.HardwareAddr{2, 0, 0, 0, 0, 1}
)

func own() Policy { return Policy{MAC: ownMAC, Addresses: []netip.Addr{own4, own6}} }
