package cases

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/internal/testprograms"
)

// programs is the variable that names the directory with sysct, built once for all tests.
const programs = "SYSCT_NET_PROGRAMS"

// senderWord makes the test program one that sends frames: it is the hostile guest's.
const senderWord = "send-frames"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == senderWord {
		if err := sendFrames(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	if nettest.Inside() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "sysct-test-programs-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv(programs, dir)
	var builds sync.WaitGroup
	failed := false
	for _, p := range []string{"sysct", "sysct-helper", "sysct-net"} {
		builds.Go(func() {
			if err := testprograms.Build(filepath.Join(dir, p), p, ""); err != nil {
				fmt.Println(err)
				failed = true
			}
		})
	}
	if builds.Wait(); failed {
		return 1
	}
	return m.Run()
}

// sendFrames sends each line of its standard input, hexadecimal, as a frame by a link.
// What the kernel refuses at once is as well dropped.
func sendFrames(link string) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return fmt.Errorf("cannot open a packet socket: %w", err)
	}
	index, err := os.ReadFile("/sys/class/net/" + link + "/ifindex")
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(string(index), &n); err != nil {
		return err
	}
	to := &unix.SockaddrLinklayer{Ifindex: n}
	lines := bufio.NewScanner(os.Stdin)
	for sent := 1; lines.Scan(); sent++ {
		frame, err := hex.DecodeString(lines.Text())
		if err == nil {
			err = unix.Sendto(fd, frame, 0, to)
		}
		if err != nil {
			return fmt.Errorf("frame %d: %w", sent, err)
		}
	}
	return lines.Err()
}
