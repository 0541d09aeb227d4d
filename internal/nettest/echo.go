package nettest

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// NewEcho serves a port of all addresses of the namespace, over tcp and udp, until the
// test ends: who connects is told the address that he came from, in a line, and gets
// back what he sends then; a datagram is answered by its sender's address and what was
// in it, with a blank between. Port 0 is any that is free.
func (n *Namespace) NewEcho(t testing.TB, port uint16) uint16 {
	t.Helper()
	var tcp net.Listener
	var udp []*net.UDPConn
	err := n.Do(func() (err error) {
		if tcp, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); err != nil {
			return err
		}
		port = uint16(tcp.Addr().(*net.TCPAddr).Port)
		udp, err = listenUDP(port)
		return err
	})
	if err != nil {
		t.Fatalf("cannot serve an echo: %v", err)
	}
	t.Cleanup(func() { tcp.Close() })
	go serveTCP(tcp)
	for _, conn := range udp {
		t.Cleanup(func() { conn.Close() })
		go serveUDP(conn)
	}
	return port
}

// listenUDP opens a socket for each address of the namespace, so that an answer comes
// from where the question went.
func listenUDP(port uint16) ([]*net.UDPConn, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var all []*net.UDPConn
	for _, a := range addrs {
		ip := a.(*net.IPNet).IP
		if ip.IsLinkLocalUnicast() {
			continue
		}
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: int(port)})
		if err != nil {
			return all, err
		}
		all = append(all, conn)
	}
	return all, nil
}

func serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed at the test's end
		}
		go func() {
			defer conn.Close()
			fmt.Fprintln(conn, plain(conn.RemoteAddr().(*net.TCPAddr).AddrPort()))
			io.Copy(conn, conn)
		}()
	}
}

func serveUDP(conn *net.UDPConn) {
	buf := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		conn.WriteToUDPAddrPort(append([]byte(plain(from).String()+" "), buf[:n]...), from)
	}
}

// plain is an address without the form of IPv4 in IPv6.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Ask sends a word to an Echo, over "tcp" or "udp", and gives the address that this one
// saw it come from, and an error if there is no answer within the time, or another word
// in it.
func (n *Namespace) Ask(proto string, to netip.AddrPort, within time.Duration) (netip.AddrPort, error) {
	const word = "hello"
	var answer string
	err := n.Do(func() error {
		conn, err := net.DialTimeout(proto, to.String(), within)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(within))
		if _, err := io.WriteString(conn, word); err != nil {
			return err
		}
		if conn, ok := conn.(*net.TCPConn); ok {
			if err := conn.CloseWrite(); err != nil {
				return err
			}
			all, err := io.ReadAll(conn)
			answer = string(all)
			return err
		}
		buf := make([]byte, 1500)
		size, err := conn.Read(buf)
		answer = string(buf[:size])
		return err
	})
	if err != nil {
		return netip.AddrPort{}, err
	}
	var seen, got string
	if _, err := fmt.Sscan(answer, &seen, &got); err != nil || got != word {
		return netip.AddrPort{}, fmt.Errorf("answer %q", answer)
	}
	return netip.ParseAddrPort(seen)
}

// Sysctl writes a setting of the namespace, such as net/ipv4/ip_forward.
func (n *Namespace) Sysctl(t testing.TB, name, value string) {
	t.Helper()
	err := n.Do(func() error {
		fd, err := unix.Open("/proc/sys/"+name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, []byte(value))
		return err
	})
	if err != nil {
		t.Fatalf("cannot set %s to %s: %v", name, value, err)
	}
}
