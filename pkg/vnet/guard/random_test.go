package guard

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fault says in plain words what is wrong with a frame that the guest sends; "": nothing that
// the program is to see. It is written by the protocols' headers, not by the program.
func fault(f []byte) string {
	if len(f) < 14 || !bytes.Equal(f[6:12], ownMAC) {
		return "source MAC"
	}
	switch packet := f[14:]; binary.BigEndian.Uint16(f[12:]) {
	case tARP:
		return faultARP(packet)
	case tIP4:
		return fault4(packet)
	case tIP6:
		return fault6(packet)
	}
	return "type"
}

func faultARP(p []byte) string {
	if len(p) < 20 || !bytes.Equal(p[:6], []byte{0, 1, 8, 0, 6, 4}) || p[6] != 0 || p[7] != 1 && p[7] != 2 {
		return "ARP header"
	}
	if sender := netip.AddrFrom4([4]byte(p[14:18])); !bytes.Equal(p[8:14], ownMAC) || sender != own4 && sender != any4 {
		return "ARP sender"
	}
	return ""
}

func fault4(p []byte) string {
	if len(p) < 20 || p[0]>>4 != 4 || p[0]&15 < 5 {
		return "IPv4 header"
	}
	source, field, first := netip.AddrFrom4([4]byte(p[12:16])), binary.BigEndian.Uint16(p[6:]), true
	body := p[min(len(p), 4*int(p[0]&15)):]
	if first = field&0x1fff == 0; source != own4 && source != any4 || source == any4 && (p[9] != 17 || field&0x3fff != 0) {
		return "IPv4 source"
	}
	switch {
	case !first:
	case p[9] == 1 && (len(body) == 0 || body[0] == 5 || body[0] == 9):
		return "ICMP of a router"
	case p[9] == 2 && (len(body) == 0 || body[0] == 0x11 || body[0] == 0x30), p[9] == 103:
		return "multicast router"
	case p[9] == 17:
		return faultUDP(source, field, body)
	}
	return ""
}

func faultUDP(source netip.Addr, field uint16, body []byte) string {
	if len(body) < 8 {
		return "UDP header"
	}
	from, to := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	if from == 67 || to == 68 || source == any4 && (from != 68 || to != 67) {
		return "DHCP port"
	}
	if to == 67 && (len(body) < 42 || field&0x3fff != 0 || body[8] != 1 || !bytes.Equal(body[36:42], ownMAC) || !bytes.Equal(body[32:36], []byte{0, 0, 0, 0})) {
		return "DHCP request"
	}
	return ""
}

func fault6(p []byte) string {
	if len(p) < 40 || p[0]>>4 != 6 {
		return "IPv6 header"
	}
	source, next, body := netip.AddrFrom16([16]byte(p[8:24])), p[6], p[40:]
	isOwn := func(a netip.Addr) bool { return a == own6 || a == ownLocal }
	if !isOwn(source) && source != any6 || source == any6 && next != 58 && next != 0 {
		return "IPv6 source"
	}
	if next == 44 {
		if len(body) >= 8 && binary.BigEndian.Uint16(body[2:])>>3 != 0 {
			return ""
		}
		if len(body) < 8 || body[0] == 58 && (len(body) < 9 || body[8] > 129) {
			return "fragment"
		}
		next, body = body[0], body[8:]
	}
	switch next {
	case 0:
		if len(body) < 9 || body[0] != 58 || body[1] != 0 || body[8] != 131 && body[8] != 132 && body[8] != 143 {
			return "hop by hop"
		}
	case 43, 44, 51, 60, 135, 139, 140, 253, 254:
		return "extension header"
	case 17:
		if len(body) < 8 || binary.BigEndian.Uint16(body) == 547 || binary.BigEndian.Uint16(body[2:]) == 546 {
			return "DHCPv6 port"
		}
	case 58:
		return fault6ICMP(source, isOwn, body, int(binary.BigEndian.Uint16(p[4:])))
	}
	return ""
}

func fault6ICMP(source netip.Addr, isOwn func(netip.Addr) bool, body []byte, length int) string {
	if len(body) == 0 || source == any6 && body[0] != 135 && body[0] != 133 {
		return "ICMPv6 without a source"
	}
	options := 24
	switch body[0] {
	case 133:
		if options = 8; length == options {
			return "" // there is nothing in it, even if it is cut
		}
	case 135, 136:
		if len(body) < 24 || (body[0] == 136 || source == any6) && !isOwn(netip.AddrFrom16([16]byte(body[8:24]))) {
			return "target"
		}
	case 130, 131, 132, 134, 137, 138, 143, 151:
		return "ICMPv6 type"
	default:
		return ""
	}
	if len(body) < length || length < options {
		return "length of the options"
	}
	for o := body[options:length]; len(o) > 0; o = o[8*int(o[1]):] {
		if len(o) < 8 || o[1] == 0 || int(o[1])*8 > len(o) || (o[0] == 1 || o[0] == 2) && !bytes.Equal(o[2:8], ownMAC) {
			return "option"
		}
	}
	return ""
}

// TestSamplesHaveTheirFaults holds the plain words against the samples.
func TestSamplesHaveTheirFaults(t *testing.T) {
	for _, s := range samples() {
		if what := fault(s.frame); s.legal && what != "" {
			t.Errorf("%s: has a fault: %s", s.name, what)
		}
	}
}

// TestRandomFrames changes some bytes of samples: whatever passes is free of faults.
func TestRandomFrames(t *testing.T) {
	prog := load(t, program(own()))
	list := samples()
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 50 {
			f := randomFrame(t, list)
			if !runnable(f) || !passes(t, prog, f) {
				continue
			}
			passed++
			if what := fault(f); what != "" {
				t.Fatalf("% x passes: %s", f, what)
			}
		}
	})
	if passed == 0 {
		t.Error("nothing passed")
	}
}

func randomFrame(t *rapid.T, list []sample) []byte {
	f := slices.Clone(rapid.SampledFrom(list).Draw(t, "sample").frame)
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		at := rapid.IntRange(0, min(len(f), 100)-1).Draw(t, "at")
		f[at] = rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 1, 2, 3, 17, 44, 58, 60, 67, 133, 134, 135, 136, 137})).Draw(t, "byte")
	}
	return f[:rapid.OneOf(rapid.Just(len(f)), rapid.IntRange(min(len(f), 18), len(f))).Draw(t, "length")]
}
