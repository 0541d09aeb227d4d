package publish

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listener is a socket of the host that waits for what comes to a port.
type listener struct {
	at    netip.Addr
	inode string
}

// listeners are those of a port, of both families.
func listeners(proto string, port uint16) ([]listener, error) {
	var all []listener
	for _, file := range []string{proto, proto + "6"} {
		data, err := os.ReadFile("/proc/thread-self/net/" + file)
		if os.IsNotExist(err) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		all = append(all, parseListeners(string(data), port)...)
	}
	return all, nil
}

// The states of sockets that wait for anybody: TCP_LISTEN, and for udp TCP_CLOSE, which
// one that is connected hasn't.
const (
	stateListen = "0A"
	stateClose  = "07"
)

// parseListeners reads a table of /proc/net (tcp, udp, tcp6, udp6).
func parseListeners(table string, port uint16) []listener {
	var out []listener
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != stateListen && f[3] != stateClose {
			continue
		}
		host, number, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(number, 16, 16); err != nil || uint16(n) != port {
			continue
		}
		if at, ok := parseAddress(host); ok {
			out = append(out, listener{at, f[9]})
		}
	}
	return out
}

// parseAddress reads an address as the kernel prints it there: words of four bytes, as
// numbers of this machine's byte order.
func parseAddress(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}

// owner is whose socket it is, in words.
func (l listener) owner() string {
	want := "socket:[" + l.inode + "]"
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err != nil || link != want {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %s), which listens on %s", printable(strings.TrimSpace(string(name))), pid, l.at)
	}
	return fmt.Sprintf("a program of the host, which listens on %s", l.at)
}

// printable is a process's name, which may be any bytes that it chose.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// Everywhere is who listens on a port of all the host's IPv4 or IPv6 addresses, in words;
// "": nobody.
func Everywhere(proto string, port uint16) string {
	found, _ := listeners(proto, port)
	for _, l := range found {
		if l.at.IsUnspecified() {
			return l.owner()
		}
	}
	return ""
}
