package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// talkWord makes this program the one that is talked to over a network, in a guest or in
// a namespace that was made by hand.
const talkWord = "talk"

// talkPort is where it listens, over tcp and udp.
const talkPort = 4711

// What a connection is for is its first byte.
const (
	talkSink = 's' // take all until its end, and say how much it was
	talkGive = 'g' // give as much as it can for a time, which follows
	talkEcho = 'e' // send back what comes
)

// talkMain serves until it is killed.
func talkMain() error {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", talkPort))
	if err != nil {
		return err
	}
	datagrams, err := net.ListenUDP("udp", &net.UDPAddr{Port: talkPort})
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := datagrams.ReadFromUDPAddrPort(buf)
			if err == nil {
				datagrams.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			talk(conn)
		}()
	}
}

func talk(conn net.Conn) {
	var what [1]byte
	if _, err := io.ReadFull(conn, what[:]); err != nil {
		return
	}
	buf := make([]byte, 128<<10)
	switch what[0] {
	case talkSink:
		var sum int64
		for {
			n, err := conn.Read(buf)
			if sum += int64(n); err != nil {
				break
			}
		}
		binary.Write(conn, binary.BigEndian, sum)
	case talkGive:
		var d int64
		if binary.Read(conn, binary.BigEndian, &d) != nil {
			return
		}
		for end := time.Now().Add(time.Duration(d)); time.Now().Before(end); {
			if _, err := conn.Write(buf); err != nil {
				return
			}
		}
	case talkEcho:
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if _, err := conn.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

// dialTalk connects to one that may be starting still.
func dialTalk(proto string, to netip.Addr) (net.Conn, error) {
	for end := time.Now().Add(signalLimit); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout(proto, netip.AddrPortFrom(to, talkPort).String(), time.Second)
		if err == nil {
			return conn, conn.SetDeadline(time.Now().Add(signalLimit))
		}
		if time.Now().After(end) {
			return nil, err
		}
	}
}

// sendTo gives the gigabits a second that get there by a connection in a time.
func sendTo(to netip.Addr, d time.Duration) ([]float64, error) {
	conn, err := dialTalk("tcp", to)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{talkSink}); err != nil {
		return nil, err
	}
	buf := make([]byte, 128<<10)
	begin := time.Now()
	for time.Since(begin) < d {
		if _, err := conn.Write(buf); err != nil {
			return nil, err
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return nil, err
	}
	var sum int64
	err = binary.Read(conn, binary.BigEndian, &sum)
	return gigabits(sum, time.Since(begin)), err
}

// receiveFrom gives those that come from there.
func receiveFrom(to netip.Addr, d time.Duration) ([]float64, error) {
	conn, err := dialTalk("tcp", to)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	begin := time.Now()
	if err := binary.Write(conn, binary.BigEndian, append([]byte{talkGive}, binary.BigEndian.AppendUint64(nil, uint64(d))...)); err != nil {
		return nil, err
	}
	sum, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, 128<<10))
	return gigabits(sum, time.Since(begin)), err
}

func gigabits(bytes int64, d time.Duration) []float64 {
	return []float64{float64(bytes) * 8 / d.Seconds() / 1e9}
}

// roundTrips gives the median time of a word's way there and back, in microseconds.
func roundTrips(proto string, to netip.Addr, count int) ([]float64, error) {
	conn, err := dialTalk(proto, to)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if proto == "tcp" {
		if _, err := conn.Write([]byte{talkEcho}); err != nil {
			return nil, err
		}
	}
	word, answer := make([]byte, 64), make([]byte, 64)
	trip := func(within time.Duration) error {
		conn.SetDeadline(time.Now().Add(within))
		if _, err := conn.Write(word); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, answer)
		return err
	}
	for end := time.Now().Add(signalLimit); ; time.Sleep(10 * time.Millisecond) { // it may not listen yet
		if err := trip(time.Second); err == nil {
			break
		} else if proto == "tcp" || time.Now().After(end) {
			return nil, err
		}
	}
	times := make([]float64, 0, count)
	for range count {
		begin := time.Now()
		if err := trip(signalLimit); err != nil {
			return nil, err
		}
		times = append(times, float64(time.Since(begin))/float64(time.Microsecond))
	}
	slices.Sort(times)
	return []float64{times[len(times)/2]}, nil
}
