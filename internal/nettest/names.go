package nettest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// NewNames serves names at port 53 of all addresses of the namespace but those of lo's
// own, over tcp and udp, until the test ends. What it doesn't know doesn't exist.
func (n *Namespace) NewNames(t testing.TB, names map[string][]netip.Addr) {
	t.Helper()
	var tcp net.Listener
	var udp []*net.UDPConn
	err := n.Do(func() (err error) {
		if tcp, err = net.Listen("tcp", ":53"); err != nil {
			return err
		}
		udp, err = listenUDP(53)
		return err
	})
	if err != nil {
		t.Fatalf("cannot serve names: %v", err)
	}
	t.Cleanup(func() { tcp.Close() })
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			go answerTCP(conn, names)
		}
	}()
	for _, conn := range udp {
		t.Cleanup(func() { conn.Close() })
		go answerUDP(conn, names)
	}
}

func answerUDP(conn *net.UDPConn, names map[string][]netip.Addr) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if answer := resolve(buf[:n], names); answer != nil {
			conn.WriteToUDPAddrPort(answer, from)
		}
	}
}

func answerTCP(conn net.Conn, names map[string][]netip.Addr) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer := resolve(question, names)
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}

// resolve answers a message with one question; nil: it can't be read.
func resolve(message []byte, names map[string][]netip.Addr) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	addrs, ok := names[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	code := dnsmessage.RCodeSuccess
	if !ok {
		code = dnsmessage.RCodeNameError
	}
	answer := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true, RCode: code,
		},
		Questions: []dnsmessage.Question{q},
	}
	for _, a := range addrs {
		h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	text, err := answer.Pack()
	if err != nil {
		return nil
	}
	return text
}

// Resolve asks a name server for the addresses of a name.
func (n *Namespace) Resolve(server netip.Addr, name string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		message, err := n.Query(server, name, kind)
		if err != nil {
			return all, err
		}
		for _, r := range message.Answers {
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				all = append(all, netip.AddrFrom4(body.A))
			case *dnsmessage.AAAAResource:
				all = append(all, netip.AddrFrom16(body.AAAA))
			}
		}
	}
	return all, nil
}

// Query asks a name server one question over udp, a few times if there is no answer.
func (n *Namespace) Query(server netip.Addr, name string, kind dnsmessage.Type) (*dnsmessage.Message, error) {
	full, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, err
	}
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: full, Type: kind, Class: dnsmessage.ClassINET}},
	}
	text, err := question.Pack()
	if err != nil {
		return nil, err
	}
	var answer dnsmessage.Message
	err = n.Do(func() error {
		conn, err := net.Dial("udp", netip.AddrPortFrom(server, 53).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		size := 0
		for try := range 4 { // as a resolver does: a datagram may get lost
			conn.SetDeadline(time.Now().Add(time.Duration(try+1) * 2 * time.Second))
			if _, err = conn.Write(text); err != nil {
				return err
			}
			if size, err = conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		if err != nil {
			return err
		}
		return answer.Unpack(buf[:size])
	})
	return &answer, err
}
