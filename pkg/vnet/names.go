package vnet

import (
	"crypto/sha256"
	"encoding/hex"
)

// maxDevice is the longest name of a link: IFNAMSIZ less the zero byte.
const maxDevice = 15

// BridgeName is the device of a network. In the host's default instance it has the
// network's own name; others have names that no other instance gives.
func BridgeName(tag, network string) string {
	if tag == "" && len(network) <= maxDevice {
		return network
	}
	return "sb" + (tag + "00000000")[:8] + digest(network)[:4]
}

// HostName is the host's side of the veth of a guest's interface.
func HostName(tag, guest, iface string) string { return "sv" + digest(tag, guest, iface)[:12] }

// IfbName is the device that what comes from a guest's interface is held up in.
func IfbName(tag, guest, iface string) string { return "si" + digest(tag, guest, iface)[:12] }

// Alias marks a link as that of a guest's interface: nothing without it is deleted or
// moved, whatever its name is.
func Alias(tag, guest, iface string) string { return mark(tag) + "guest " + guest + " " + iface }

// NetworkAlias marks the bridge of a network.
func NetworkAlias(tag, network string) string { return mark(tag) + "network " + network }

// AliasPrefix is what the aliases of an instance's links begin with.
func AliasPrefix(tag string) string { return mark(tag) }

func mark(tag string) string {
	if tag == "" {
		tag = "-"
	}
	return "sysct " + tag + " "
}

// digest is 64 hexadecimal digits of some words.
func digest(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		h.Write([]byte(w))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
