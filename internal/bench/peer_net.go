package main

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// networked is sysct with guests on its default network.
type networked struct{ *sysct }

func (s networked) title() string            { return "sysct, bridge" }
func (s networked) name(short string) string { return "bench-b-" + short }

func (s networked) make(name string, k kind) error {
	argv := append([]string{s.bin, "-q", "create", name, "--net", "sysctbr0", "-B", "dir"}, k.template()...)
	if _, err := s.b.output(argv...); err != nil {
		return err
	}
	return adapt(s.rootfs(name), k)
}

// lxcBridge is the bridge of LXC's guests, as lxc-net would have made it.
const lxcBridge = "benchlxc0"

// onBridge is what a guest on LXC's bridge has in its configuration.
const onBridge = hooksCleared + "lxc.net.0.type = veth\nlxc.net.0.link = " + lxcBridge + "\nlxc.net.0.flags = up\n"

// byHand is sysct with guests that have no network but a veth on a bridge which ip makes
// for them, with nothing in the way: all else is the same.
type byHand struct{ *sysct }

// The subnet that is made by hand.
const (
	handBridge = "benchhand0"
	handVeth   = "benchhand1"
	handHost   = "198.18.0.1"
	handGuest  = "198.18.0.2"
)

func (h byHand) title() string            { return "by hand" }
func (h byHand) name(short string) string { return "bench-h-" + short }

// link makes the links of a running guest. Its veth goes with it, the bridge stays.
func (h byHand) link(name string) error {
	info, err := h.info(name)
	if err != nil {
		return err
	}
	in := []string{"nsenter", "--net", "-t", fmt.Sprint(info.Pid), "ip"}
	if _, err := net.InterfaceByName(handBridge); err != nil {
		err := h.b.all(
			[]string{"ip", "link", "add", handBridge, "type", "bridge"},
			[]string{"ip", "addr", "add", handHost + "/24", "dev", handBridge},
			[]string{"ip", "link", "set", handBridge, "up"})
		if err != nil {
			return err
		}
	}
	for late := time.Now().Add(10 * time.Second); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if _, err := net.InterfaceByName(handVeth); err != nil {
			break // the kernel has taken the last guest's away, which it does when it has time
		}
	}
	return h.b.all(
		[]string{"ip", "link", "add", handVeth, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(info.Pid)},
		[]string{"ip", "link", "set", handVeth, "master", handBridge, "up"},
		append(in, "addr", "add", handGuest+"/24", "dev", "eth0"),
		append(in, "link", "set", "eth0", "up"))
}

// all runs commands one after the other.
func (b *bench) all(commands ...[]string) error {
	for _, argv := range commands {
		if _, err := b.output(argv...); err != nil {
			return err
		}
	}
	return nil
}

// bridge makes LXC's bridge, unless it is there.
func (b *bench) bridge() error {
	if _, err := net.InterfaceByName(lxcBridge); err == nil {
		return nil
	}
	return b.all([]string{"ip", "link", "add", lxcBridge, "type", "bridge"}, []string{"ip", "link", "set", lxcBridge, "up"})
}

// address is a running guest's, of IPv4.
func (s networked) address(name string) (netip.Addr, error) {
	text, err := s.b.output(s.argv(doExec, name, "ip", "-4", "-o", "addr", "show", "eth0")...)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, word := range strings.Fields(text) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no address: %s", filepath.Base(name), text)
}
