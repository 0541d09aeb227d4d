// Command send is what a hostile guest of the tests runs: it sends each line of its
// standard input, hexadecimal, as a frame by a link, whatever is in it.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: send LINK <FRAMES")
		os.Exit(2)
	}
	if err := send(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "send:", err)
		os.Exit(1)
	}
}

func send(link string) error {
	text, err := os.ReadFile("/sys/class/net/" + link + "/ifindex")
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return fmt.Errorf("cannot open a packet socket: %w", err)
	}
	if err := oneCPU(); err != nil {
		return fmt.Errorf("cannot bind to one processor: %w", err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for n := 1; lines.Scan(); n++ {
		frame, err := hex.DecodeString(lines.Text())
		if err == nil {
			err = unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index})
		}
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
	}
	return lines.Err()
}

// oneCPU binds the calling goroutine to one processor: each has a queue of its own at the other
// end of a veth, so what is sent from two may change its order.
func oneCPU() error {
	runtime.LockOSThread()
	var one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &one); err != nil {
		return err
	}
	for cpu := range 1024 {
		if one.Count() > 1 {
			one.Clear(cpu)
		}
	}
	return unix.SchedSetaffinity(0, &one)
}
