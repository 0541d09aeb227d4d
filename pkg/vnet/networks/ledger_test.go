package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sysct/sysct/pkg/vnet"
)

func tempStore(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	return &Store{Tag: "0123abcd", StateDir: filepath.Join(dir, "lib"), RunDir: filepath.Join(dir, "run"), Dir: filepath.Join(dir, "nets"), HostDir: filepath.Join(dir, "host")}
}

func testNetwork(v4, v6 string) *vnet.Network {
	n := &vnet.Network{Name: "dmz", Device: "dmz", Domain: "sysct", DNS: true, DHCP: true}
	if v4 != "" {
		n.IPv4 = prefix(v4)
	}
	if v6 != "" {
		n.IPv6 = prefix(v6)
	}
	return n
}

// Whatever guests come, go, are renamed and ask for: no two have the same address, one that
// asks again has what it had, also by another process, and what is released is free.
func TestLedgerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		dir, err := os.MkdirTemp("/dev/shm", "sysct-test-ledger-") // each step syncs
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		n := testNetwork("10.1.2.1/28", "fd00::1/64")
		n2 := *n
		n2.Name, n2.IPv4 = "lan", prefix("10.9.0.1/30")
		nets := []*vnet.Network{n, &n2}
		had := map[string][]netip.Prefix{}
		guests := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"})
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				s := &Store{StateDir: dir, RunDir: dir} // a new one: as a new process
				net, o := rapid.SampledFrom(nets).Draw(t, "network"), Owner{guests.Draw(t, "guest"), rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "interface"), ""}
				var wanted []netip.Prefix
				if rapid.Bool().Draw(t, "static") {
					wanted = []netip.Prefix{prefix(fmt.Sprintf("10.1.2.%d/32", rapid.IntRange(0, 17).Draw(t, "number")))}
				}
				got, err := s.Addresses(ctx, net, o, wanted)
				if err != nil {
					if !errors.Is(err, ErrConfig) {
						t.Fatal(err)
					}
					return
				}
				key := net.Name + " " + o.Guest + " " + o.Interface
				if before, again := had[key]; again && wanted == nil && !slices.Equal(before, got) {
					t.Fatalf("%s had %v and has %v", key, before, got)
				}
				for _, other := range nets {
					delete(had, other.Name+" "+o.Guest+" "+o.Interface)
				}
				had[key] = got
				if len(got) != 2 || !net.IPv4.Contains(got[0].Addr()) || got[0].Addr() == net.IPv4.Addr() || !net.IPv6.Contains(got[1].Addr()) || got[1].Addr() == net.IPv6.Addr() {
					t.Fatalf("%s has %v", key, got)
				}
			},
			"release": func(t *rapid.T) {
				guest := guests.Draw(t, "guest")
				if err := (&Store{StateDir: dir, RunDir: dir}).Release(ctx, guest); err != nil {
					t.Fatal(err)
				}
				for key := range had {
					if strings.Fields(key)[1] == guest {
						delete(had, key)
					}
				}
			},
			"leave": func(t *rapid.T) {
				guest := guests.Draw(t, "guest")
				if err := (&Store{StateDir: dir, RunDir: dir}).Leave(ctx, guest, []string{"eth0"}); err != nil {
					t.Fatal(err)
				}
				for _, net := range nets {
					delete(had, net.Name+" "+guest+" eth1")
				}
			},
			"rename": func(t *rapid.T) {
				from, to := guests.Draw(t, "from"), guests.Draw(t, "to")
				l, err := (&Store{StateDir: dir, RunDir: dir}).readLedger()
				if err != nil {
					t.Fatal(err)
				}
				if from == to || slices.ContainsFunc(l.Entries, func(e entry) bool { return e.Guest == to }) {
					return
				}
				if err := (&Store{StateDir: dir, RunDir: dir}).Rename(ctx, from, to); err != nil {
					t.Fatal(err)
				}
				for key, list := range had {
					if words := strings.Fields(key); words[1] == from {
						delete(had, key)
						had[words[0]+" "+to+" "+words[2]] = list
					}
				}
			},
			"": func(t *rapid.T) {
				l, err := (&Store{StateDir: dir, RunDir: dir}).readLedger()
				if err != nil {
					t.Fatal(err)
				}
				seen := map[string]string{}
				for _, e := range l.Entries {
					key := e.Network + " " + e.Guest + " " + e.Interface
					if !slices.Equal(had[key], e.Addresses) {
						t.Fatalf("%s has %v in the ledger, not %v", key, e.Addresses, had[key])
					}
					for _, p := range e.Addresses {
						if other, taken := seen[e.Network+p.Addr().String()]; taken {
							t.Fatalf("%s and %s both have %s", other, key, p)
						}
						seen[e.Network+p.Addr().String()] = key
					}
				}
				if len(l.Entries) != len(had) {
					t.Fatalf("the ledger has %d entries, not %d", len(l.Entries), len(had))
				}
			},
		})
	})
}

func TestAddresses(t *testing.T) {
	ctx, s := context.Background(), tempStore(t)
	n := testNetwork("10.1.2.1/24", "fd00::1/64")
	ask := func(guest string, wanted ...string) string {
		var list []netip.Prefix
		for _, w := range wanted {
			list = append(list, prefix(w))
		}
		got, err := s.Addresses(ctx, n, Owner{guest, "eth0", fmt.Sprintf("02:00:00:00:00:%02x", guest[0])}, list)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(got)
	}
	for _, c := range []struct {
		guest  string
		wanted []string
		want   string
	}{
		{"a", nil, "[10.1.2.2/24 fd00::2/64]"},
		{"b", []string{"10.1.2.25/32"}, "[10.1.2.25/24 fd00::25/64]"},
		{"c", []string{"fd00::3/128"}, "[10.1.2.3/24 fd00::3/64]"},
		{"d", nil, "[10.1.2.4/24 fd00::4/64]"},
		{"e", []string{"10.1.2.25/24"}, "cannot have 10.1.2.25 on network dmz: it is guest b's (eth0)"},
		{"e", []string{"10.1.2.1/24"}, "cannot have 10.1.2.1 on network dmz: it is the network's own"},
		{"e", []string{"10.1.2.255/32"}, "cannot have 10.1.2.255 on network dmz: it is the network's own"},
		{"e", []string{"10.1.3.2/24"}, "cannot have 10.1.3.2/24 on network dmz: its subnet is 10.1.2.0/24"},
		{"e", []string{"10.1.2.7/16"}, "cannot have 10.1.2.7/16 on network dmz: its subnet is 10.1.2.0/24"},
		{"e", []string{"10.1.2.5/24", "10.1.2.6/24", "fd00::77/64"}, "[10.1.2.5/24 10.1.2.6/24 fd00::77/64]"},
		{"a", []string{"10.1.2.9/24"}, "[10.1.2.9/24 fd00::2/64]"},
		{"f", nil, "[10.1.2.2/24 fd00::5/64]"}, // ::2 is still a's, 3 and 4 are others'
	} {
		if got := ask(c.guest, c.wanted...); got != c.want {
			t.Errorf("%s asks for %v: %s, want %s", c.guest, c.wanted, got, c.want)
		}
	}
}

func TestFullNetwork(t *testing.T) {
	ctx, s := context.Background(), tempStore(t)
	n := testNetwork("10.1.2.1/29", "")
	for i := range 5 {
		got, err := s.Addresses(ctx, n, Owner{fmt.Sprint("g", i), "eth0", ""}, nil)
		if err != nil || fmt.Sprint(got) != fmt.Sprintf("[10.1.2.%d/29]", i+2) {
			t.Fatalf("%v %v", got, err)
		}
	}
	_, err := s.Addresses(ctx, n, Owner{"more", "eth0", ""}, nil)
	if !errors.Is(err, ErrConfig) || !strings.HasPrefix(err.Error(), "network dmz is full: all 5 addresses of 10.1.2.0/29 are in use\nhint: ") {
		t.Error(err)
	}
	if err := s.Release(ctx, "g2"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Addresses(ctx, n, Owner{"more", "eth0", ""}, nil); err != nil || got[0].String() != "10.1.2.4/29" {
		t.Errorf("%v %v", got, err)
	}
}

func TestDamagedLedgerIsNamed(t *testing.T) {
	ctx, s := context.Background(), tempStore(t)
	if err := os.MkdirAll(filepath.Dir(s.ledgerPath()), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"{", `{"version":2}`, `{"version":1,"entries":[{"addresses":["x"]}]}`} {
		if err := os.WriteFile(s.ledgerPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Addresses(ctx, testNetwork("10.1.2.1/24", ""), Owner{"a", "eth0", ""}, nil)
		if err == nil || !strings.Contains(err.Error(), s.ledgerPath()) {
			t.Errorf("%s: %v", text, err)
		}
		if err := s.Release(ctx, "a"); err != nil {
			t.Errorf("%s keeps a guest from being destroyed: %v", text, err)
		}
		if got, _ := os.ReadFile(s.ledgerPath()); string(got) != text {
			t.Errorf("%s was replaced by %s", text, got)
		}
	}
}

// What becomes of the ledger while guests run gives none of their addresses to another.
func TestLostLedger(t *testing.T) {
	ctx, n := context.Background(), testNetwork("10.1.2.1/24", "")
	ask := func(s *Store, guest string) string {
		got, err := s.Addresses(ctx, n, Owner{guest, "eth0", ""}, nil)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(got)
	}
	write := func(s *Store, text string) error { return os.WriteFile(s.ledgerPath(), []byte(text), 0o600) }
	for name, harm := range map[string]func(*Store) error{
		"lost":    func(s *Store) error { return os.RemoveAll(filepath.Dir(s.ledgerPath())) },
		"damaged": func(s *Store) error { return write(s, "{") },
		"empty":   func(s *Store) error { return write(s, `{"version":1,"entries":[]}`) },
		"old": func(s *Store) error {
			return write(s, `{"version":1,"entries":[{"network":"dmz","guest":"a","interface":"eth0","addresses":["10.1.2.9/24"]}]}`)
		},
		"copy": func(s *Store) error { return os.Remove(s.copyPath()) },
	} {
		s := tempStore(t)
		for i, guest := range []string{"a", "b"} {
			if got, want := ask(s, guest), fmt.Sprintf("[10.1.2.%d/24]", i+2); got != want {
				t.Fatal(got)
			}
		}
		if err := harm(s); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]string{{"c", "[10.1.2.4/24]"}, {"b", "[10.1.2.3/24]"}, {"a", "[10.1.2.2/24]"}} {
			if got := ask(s, c[0]); got != c[1] {
				t.Errorf("%s: %s has %s, not %s", name, c[0], got, c[1])
			}
		}
		if err := s.Release(ctx, "a"); err != nil {
			t.Error(err)
		}
		if got := ask(s, "d"); got != "[10.1.2.2/24]" {
			t.Errorf("%s: what is released isn't free: %s", name, got)
		}
	}
	// Without the copy it is made of what guests that run have.
	s := tempStore(t)
	if err := errors.Join(os.MkdirAll(filepath.Dir(s.ledgerPath()), 0o700), write(s, "{")); err != nil {
		t.Fatal(err)
	}
	if got := ask(s, "c"); !strings.Contains(got, "\nhint: sysct net repair") {
		t.Error(got)
	}
	held := func() ([]Held, error) {
		return []Held{{Owner{"a", "eth0", ""}, "dmz", []netip.Prefix{prefix("10.1.2.2/24")}}}, nil
	}
	if lines, err := s.RepairLedger(ctx, held); err != nil || len(lines) != 1 {
		t.Errorf("%q %v", lines, err)
	}
	if lines, err := s.RepairLedger(ctx, held); err != nil || len(lines) != 0 {
		t.Errorf("again: %q %v", lines, err)
	}
	if got := ask(s, "c"); got != "[10.1.2.3/24]" {
		t.Error(got)
	}
}
