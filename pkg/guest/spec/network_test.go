package spec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseNetwork(t *testing.T) {
	n, err := ParseNetwork([]byte("ipv4 = '10.1.2.1/24'\nipv6 = 'none'\ndhcp = false\nmtu = 900\nisolate = true\n"), "x.toml")
	if err != nil {
		t.Fatal(err)
	}
	mtu := 900
	want := &Network{Version: 1, Type: "bridge", IPv4: "10.1.2.1/24", IPv6: "none", NAT: true, DNS: true, Domain: "sysct", MTU: &mtu, Isolate: true}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("%+v", n)
	}
	if v4, v6 := n.Subnets(); v4.String() != "10.1.2.1/24" || v6.IsValid() {
		t.Errorf("%v %v", v4, v6)
	}
	for _, n := range []*Network{want, DefaultNetworkObject()} {
		text := RenderNetwork(n)
		if again, err := ParseNetwork(text, "x.toml"); err != nil || !reflect.DeepEqual(again, n) {
			t.Errorf("%+v is read from\n%s%v", again, text, err)
		}
	}
}

func TestParseNetworkRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"type = 'vxlan'":                          `x.toml:1:1: type: "vxlan" is unknown: it must be "bridge"`,
		"ipv4 = '10.1.2.0/24'":                    `ipv4: "10.1.2.0/24" is the subnet, not the host's address in it: write 10.1.2.1/24`,
		"ipv4 = '10.1.2.255/24'":                  "is the subnet's broadcast address",
		"ipv4 = '10.1.2.1/31'":                    "is too small for a guest: the most is 30",
		"ipv4 = '10.0.0.1/7'":                     "is too large: the least length is 8",
		"ipv4 = '224.0.0.1/24'":                   "can't be the address of a network",
		"ipv4 = '127.0.0.1/24'":                   "can't be the address of a network",
		"ipv4 = '169.254.0.1/16'":                 "can't be the address of a network",
		"ipv4 = '255.255.255.1/24'":               "can't be the address of a network",
		"ipv4 = 'fd00::1/64'":                     "nor an IPv4 address with the length of a prefix",
		"ipv4 = '::ffff:10.1.2.1/120'":            "nor an IPv4 address",
		"ipv4 = '10.1.2.1'":                       "nor an IPv4 address with the length",
		"ipv4 = \"10.1.2.1/24\\nx\"":              "the control character U+000A",
		"ipv6 = 'fe80::1/64'":                     "can't be the address of a network",
		"ipv6 = 'ff02::1/64'":                     "can't be the address of a network",
		"ipv6 = '10.1.2.1/24'":                    "nor an IPv6 address",
		"ipv6 = 'fd00::1/48'":                     "the length must be 64",
		"ipv6 = 'fd00::/64'":                      "write fd00::1/64",
		"ipv4 = 'none'\nipv6 = 'none'":            `:2:1: ipv6: a network needs IPv4, IPv6 or both: both are "none"`,
		"domain = ''":                             "domain: is missing",
		"domain = \"a\\nserver=1.2.3.4\"":         "the control character U+000A",
		"domain = 'a b'":                          "only A-Z a-z 0-9",
		"domain = 'a..b'":                         "is empty",
		"mtu = 1279":                              "is too little for IPv6: the least is 1280",
		"mtu = 70000":                             "is too much: the most is 65535",
		"ntp = true":                              "unknown key",
		"version = 2":                             "schema version 2 is newer",
		"ipv4 = '10.1.2.1/24'\nipv4 = '10.1.2.1'": "ipv4",
	} {
		_, err := ParseNetwork([]byte(text), "x.toml")
		checkRefusal(t, text, err, want)
	}
}

func TestLoadNetworkRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.toml")
	if _, err := LoadNetwork(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	write(t, path, "nat = false\n", 0o666)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := LoadNetwork(path)
	checkRefusal(t, "open to all", err, "can be written by others")
	link := filepath.Join(dir, "b.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	_, err = LoadNetwork(link)
	checkRefusal(t, "link", err, "cannot open")
}

func TestCheckNetworkName(t *testing.T) {
	for _, name := range []string{"none", "host", "auto", "lo", "bridge", "a b", "", "a/b", "all", strings.Repeat("a", 64)} {
		if CheckNetworkName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"sysctbr0", "dmz", "a-b.c"} {
		if err := CheckNetworkName(name); err != nil {
			t.Error(err)
		}
	}
}
