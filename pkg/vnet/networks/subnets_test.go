package networks

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// What is chosen is private, has the host's address first, and overlaps nothing.
func TestChosenSubnets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var taken []netip.Prefix
		for range rapid.IntRange(0, 40).Draw(t, "routes") {
			bits := rapid.IntRange(0, 32).Draw(t, "bits")
			a := binary.BigEndian.AppendUint32(nil, rapid.Uint32Range(0x0a000000, 0x0affffff).Draw(t, "address"))
			taken = append(taken, netip.PrefixFrom(netip.AddrFrom4([4]byte(a)), bits))
		}
		c := claim{Network: "x", Auto4: true, Auto6: true}
		var random [16]byte
		copy(random[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random"))
		if err := c.choose(taken, random); err != nil {
			t.Fatal(err)
		}
		if c.IPv4.Bits() != 24 || !c.IPv4.Addr().IsPrivate() || c.IPv4.Addr().As4()[3] != 1 || overlapsAny(taken, c.IPv4) {
			t.Errorf("%s", c.IPv4)
		}
		if c.IPv6.Bits() != 64 || !c.IPv6.Addr().IsPrivate() || c.IPv6.Masked().Addr().Next() != c.IPv6.Addr() {
			t.Errorf("%s", c.IPv6)
		}
	})
}

func TestNoSubnetIsLeft(t *testing.T) {
	c := claim{Network: "x", Auto4: true}
	err := c.choose([]netip.Prefix{prefix("10.0.0.0/8")}, [16]byte{})
	if err != nil || c.IPv4 != prefix("172.16.0.1/24") {
		t.Errorf("%v %v", c.IPv4, err)
	}
	c.IPv4 = netip.Prefix{}
	err = c.choose([]netip.Prefix{prefix("10.0.0.0/8"), prefix("172.16.0.0/12")}, [16]byte{})
	if err == nil || !strings.Contains(err.Error(), `hint: write one of your own as ipv4 = "192.168.7.1/24"`) {
		t.Error(err)
	}
}

// Two instances share a host: neither gets what the other has, whether chosen or written.
func TestInstancesDontShareSubnets(t *testing.T) {
	ctx, a := context.Background(), tempStore(t)
	b := tempStore(t)
	b.HostDir = a.HostDir
	write := func(s *Store, name, text string) {
		t.Helper()
		ok(t, os.MkdirAll(s.Dir, 0o755))
		ok(t, os.WriteFile(s.path(name), []byte(text), 0o644))
	}
	write(a, "one", "ipv4 = '10.200.0.1/16'\nipv6 = 'none'\n")
	if n, err := a.Resolve(ctx, "one"); err != nil || n.IPv4 != prefix("10.200.0.1/16") || n.IPv6.IsValid() {
		t.Fatalf("%+v %v", n, err)
	}
	write(b, "two", "ipv4 = '10.200.7.1/24'\n")
	_, err := b.Resolve(ctx, "two")
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "network one of "+a.StateDir+" has it or a part of it") {
		t.Error(err)
	}
	write(b, "two", "")
	n, err := b.Resolve(ctx, "two")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.Resolve(ctx, "two"); err != nil || *again != *n {
		t.Errorf("%+v, then %+v, %v", n, again, err)
	}
	if _, err := b.Resolve(ctx, "too"); !errors.Is(err, ErrNoNetwork) || !strings.Contains(err.Error(), "hint: did you mean two?") {
		t.Error(err)
	}
	// A file that is edited counts, and one that is refused doesn't take the subnet away.
	write(b, "two", "ipv4 = '10.77.0.1/24'\n")
	if m, err := b.Resolve(ctx, "two"); err != nil || m.IPv4 != prefix("10.77.0.1/24") || m.IPv6 != n.IPv6 {
		t.Errorf("%+v %v", m, err)
	}
	ok(t, b.Remove(ctx, "two", false))
	write(a, "three", "ipv4 = '10.77.0.1/24'\n")
	if _, err := a.Resolve(ctx, "three"); err != nil {
		t.Errorf("what was removed isn't free: %v", err)
	}
}

func TestCreateAndRemove(t *testing.T) {
	ctx, s := context.Background(), tempStore(t)
	def := spec.DefaultNetworkObject()
	def.IPv4, def.Isolate = "10.77.0.1/24", true
	n, err := s.Create(ctx, "dmz", def)
	if err != nil || n.IPv4 != prefix("10.77.0.1/24") || !n.Isolate {
		t.Fatalf("%+v %v", n, err)
	}
	if _, err := s.Create(ctx, "dmz", def); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
	if _, err := s.Create(ctx, "dmz2", def); !errors.Is(err, ErrConfig) {
		t.Errorf("with the same subnet: %v", err)
	}
	if _, err := os.Lstat(s.path("dmz2")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
	if names, err := s.Names(); err != nil || strings.Join(names, " ") != "dmz sysctbr0" {
		t.Errorf("%v %v", names, err)
	}
	ok(t, s.Remove(ctx, "dmz", false))
	if _, err := s.Create(ctx, "dmz2", def); err != nil {
		t.Errorf("after the removal: %v", err)
	}
}
