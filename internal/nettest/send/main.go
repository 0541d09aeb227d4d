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

	"github.com/sysct/sysct/internal/ownthread"
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
	runtime.LockOSThread()
	if err := ownthread.OneCPU(); err != nil {
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
