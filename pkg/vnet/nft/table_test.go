package nft

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/vnet"
)

// example has each thing that a table can have.
func example() Content {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	return Content{
		Networks: []vnet.Network{
			{Name: "sysctbr0", Device: "sysctbr0", MAC: "02:5c:00:00:00:01", NAT: true, DNS: true, DHCP: true,
				IPv4: prefix("10.99.1.1/24"), IPv6: prefix("fd00:99:1::1/64")},
			{Name: "dmz", Device: "dmz", MAC: "02:5c:00:00:00:02", Isolate: true, NAT: true, IPv4: prefix("10.99.2.1/24")},
			{Name: "routed", Device: "routed", IPv6: prefix("2001:db8:1::1/64")},
		},
		Published: []Published{
			{"web", vnet.Publish{Proto: "tcp", Port: 8080, To: 80, Guest4: addr("10.99.1.2"), Guest6: addr("fd00:99:1::2")}},
			{"web", vnet.Publish{Proto: "udp", Port: 53, To: 53, Address: addr("192.0.2.1"), Guest4: addr("10.99.1.2"), Guest6: addr("fd00:99:1::2")}},
			{"db", vnet.Publish{Proto: "tcp", Port: 5432, To: 5432, Address: addr("2001:db8::1"), Guest4: addr("10.99.2.2"), Guest6: addr("fd00:99:2::2")}},
			{"all4", vnet.Publish{Proto: "tcp", Port: 25, To: 25, Address: addr("0.0.0.0"), Guest4: addr("10.99.1.3"), Guest6: addr("fd00:99:1::3")}},
		},
		Isolated: []Isolated{{Guest: "db", Addresses: []netip.Addr{addr("10.99.1.9"), addr("fd00:99:1::9")}}},
	}
}

func TestTable(t *testing.T) {
	for file, c := range map[string]Content{"full.nft": example(), "one.nft": {Networks: example().Networks[:1]}} {
		got, err := Table("", c)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("testdata/" + file)
		if err != nil || got != string(want) {
			t.Errorf("testdata/%s (%v) is not what is written:\n%s", file, err, got)
		}
	}
}

func TestTableIsTheSameInAnyOrder(t *testing.T) {
	one, _ := Table("0123abcd", example())
	c := example()
	slices.Reverse(c.Networks)
	slices.Reverse(c.Published)
	if two, err := Table("0123abcd", c); err != nil || one != two || !strings.Contains(one, "table inet sysct_0123abcd {") {
		t.Fatalf("%v\n%s\n%s", err, one, two)
	}
}

// TestTableHasAKeyOnce: the kernel refuses a whole table for one key with two values.
func TestTableHasAKeyOnce(t *testing.T) {
	c := example()
	twice := c.Published[0]
	twice.Guest = "zeb"
	c.Published = append(c.Published, twice)
	if text, err := Table("", c); err != nil || strings.Contains(text, "zeb") || !strings.Contains(text, `comment "web"`) {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestTableRefusesWords(t *testing.T) {
	bad := "x\"; flush ruleset; #"
	for what, spoil := range map[string]func(*Content){
		"a bridge":          func(c *Content) { c.Networks[0].Device = bad },
		"a long bridge":     func(c *Content) { c.Networks[0].Device = "sixteen-letters-" },
		"no bridge":         func(c *Content) { c.Networks[0].Device = "" },
		"a hardware addr":   func(c *Content) { c.Networks[0].MAC = bad },
		"a family":          func(c *Content) { c.Networks[0].IPv4 = netip.MustParsePrefix("fd00::1/64") },
		"a guest":           func(c *Content) { c.Published[0].Guest = bad },
		"a protocol":        func(c *Content) { c.Published[0].Proto = "tcp . 1 : 1" },
		"no port":           func(c *Content) { c.Published[0].Port = 0 },
		"an address's zone": func(c *Content) { c.Published[0].Address = netip.MustParseAddr("fe80::1%} flush") },
		"a guest's zone":    func(c *Content) { c.Published[0].Guest6 = netip.MustParseAddr("fe80::1%} flush") },
		"a mapped address":  func(c *Content) { c.Published[0].Guest6 = netip.MustParseAddr("::ffff:10.0.0.1") },
		"an isolated zone":  func(c *Content) { c.Isolated[0].Addresses[1] = netip.MustParseAddr("fe80::1%} flush") },
	} {
		c := example()
		spoil(&c)
		if text, err := Table("", c); err == nil || text != "" {
			t.Errorf("%s: no error\n%s", what, text)
		}
	}
	if _, err := Table("x {", example()); err == nil {
		t.Error("a tag: no error")
	}
}
