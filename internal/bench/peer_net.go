package main

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// networked is sysct with guests on its default network.
type networked struct{ *sysct }

func (s networked) title() string            { return "sysct, bridge" }
func (s networked) name(short string) string { return "bench-n-" + short }

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

// byHand is a namespace with a veth on a bridge, made with ip, with nothing in the way.
type byHand struct {
	b    *bench
	hold *exec.Cmd // is in the namespace
}

// The subnet that was made by hand.
const (
	handBridge = "benchhand0"
	handHost   = "198.18.0.1"
	handGuest  = "198.18.0.2"
)

func (h *byHand) title() string                           { return "by hand" }
func (h *byHand) name(short string) string                { return "bench-h-" + short }
func (h *byHand) creation(string, kind) ([]string, error) { return nil, nil }
func (h *byHand) rootfs(string) string                    { return h.b.dir }
func (h *byHand) monitor(string) (int, error)             { return 0, nil }
func (h *byHand) argv(verb, string, ...string) []string   { return nil }
func (h *byHand) make(string, kind) error                 { return nil }
func (h *byHand) in(argv ...string) []string {
	return append([]string{"nsenter", "--net", "-t", fmt.Sprint(h.hold.Process.Pid)}, argv...)
}

// open makes namespace and links; close takes them away.
func (h *byHand) open() error {
	h.hold = exec.Command("sleep", "infinity")
	h.hold.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	if err := h.hold.Start(); err != nil {
		return err
	}
	return h.b.all(
		[]string{"ip", "link", "add", handBridge, "type", "bridge"},
		[]string{"ip", "addr", "add", handHost + "/24", "dev", handBridge},
		[]string{"ip", "link", "set", handBridge, "up"},
		[]string{"ip", "link", "add", "benchhand1", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(h.hold.Process.Pid)},
		[]string{"ip", "link", "set", "benchhand1", "master", handBridge, "up"},
		h.in("ip", "link", "set", "lo", "up"),
		h.in("ip", "addr", "add", handGuest+"/24", "dev", "eth0"),
		h.in("ip", "link", "set", "eth0", "up"),
	)
}

func (h *byHand) close() error {
	err := h.b.all([]string{"ip", "link", "del", handBridge}, []string{"ip", "link", "del", "benchhand1"})
	h.hold.Process.Kill()
	h.hold.Wait() // it was killed
	return err
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
