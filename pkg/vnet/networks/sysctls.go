package networks

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/sysct/sysct/pkg/vnet"
)

// The host's parameters for forwarding, and a link's own.
const (
	forward4  = "/proc/sys/net/ipv4/ip_forward"
	forward6  = "/proc/sys/net/ipv6/conf/all/forwarding"
	conf6     = "/proc/sys/net/ipv6/conf/"
	acceptRA  = "/accept_ra"
	noIPv6    = "/disable_ipv6"
	genMode   = "/addr_gen_mode"
	genNone   = "1" // no link-local address by itself
	raAlways  = "2" // also of a host that forwards
	raNoHosts = "1" // only of a host that doesn't
)

// hasIPv6 says whether the host's kernel has IPv6 at all: it may be booted without.
func hasIPv6() bool {
	_, err := os.Stat(conf6)
	return err == nil
}

func readSysctl(path string) (string, error) {
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}

// setSysctl writes a parameter that isn't so already.
func setSysctl(path, value string) error {
	if now, err := readSysctl(path); err != nil || now == value {
		return err
	}
	return os.WriteFile(path, []byte(value), 0)
}

// forwarding turns on that the host passes packets on, of the families that a network has.
func forwarding(n *vnet.Network) error {
	if n.IPv4.IsValid() {
		if err := setSysctl(forward4, "1"); err != nil {
			return fmt.Errorf("cannot turn on forwarding of IPv4: %w", err)
		}
	}
	if now, _ := readSysctl(forward6); n.IPv6.IsValid() && now != "1" {
		// A host that forwards takes no router advertisements unless it is told so: without
		// this it would lose its own IPv6 when the routes that it has from one expire. Who
		// turned it on before has seen to that, or wants none.
		if err := keepUplinks(); err != nil {
			return err
		}
		if err := setSysctl(forward6, "1"); errors.Is(err, fs.ErrNotExist) {
			return as(ErrConfig, "cannot use IPv6 on network %s: the host's kernel has none\nhint: ipv6 = \"none\"", n.Name)
		} else if err != nil {
			return fmt.Errorf("cannot turn on forwarding of IPv6: %w", err)
		}
	}
	return nil
}

// forwards says whether all that forwarding wants is so.
func forwards(n *vnet.Network) bool {
	four, _ := readSysctl(forward4)
	six, _ := readSysctl(forward6)
	return (!n.IPv4.IsValid() || four == "1") && (!n.IPv6.IsValid() || six == "1")
}

// keepUplinks has the links that may lead beyond the host take router advertisements for
// good: all that are up, take them now and aren't sysct's. At boot there may be no route by
// one yet.
func keepUplinks() error {
	links, err := retried(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("cannot list links: %w", err)
	}
	for _, link := range links {
		a := link.Attrs()
		if a.Flags&net.FlagUp == 0 || a.Flags&net.FlagLoopback != 0 || strings.HasPrefix(a.Alias, "sysct ") {
			continue
		}
		path := conf6 + a.Name + acceptRA
		if now, err := readSysctl(path); err != nil || now != raNoHosts {
			continue // it takes none, by the administrator's will, or does for good
		}
		if err := setSysctl(path, raAlways); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot keep router advertisements of %s: %w", a.Name, err)
		}
	}
	return nil
}

// quiet keeps a bridge from taking addresses and routes that a guest advertises, and from
// making a link-local address beside its own.
func quiet(n *vnet.Network) error {
	values := map[string]string{acceptRA: "0", genMode: genNone}
	if n.IPv6.IsValid() {
		values[noIPv6] = "0"
	}
	for name, value := range values {
		if err := setSysctl(conf6+n.Device+name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot set %s: %w", strings.TrimPrefix(name, "/"), err)
		}
	}
	return nil
}
