package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testMetricsByTCP asks servers on a port: one that was handed over as systemd does, and one
// that was opened by the program itself.
func testMetricsByTCP(t *testing.T, top string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	activated := command(top)
	activated.Path, activated.Args = "/bin/sh", []string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" metrics --listen systemd`, self}
	activated.ExtraFiles = []*os.File{file}
	end, warnings := served(t, activated)
	file.Close()
	listener.Close() // the server has a copy
	scrape(t, address, func() {})
	manySilent(t, address)
	withoutDescriptors(t, address, activated.Process.Pid, warnings)
	end()

	_, port, _ := net.SplitHostPort(address)
	end, _ = served(t, command(top, "metrics", "--listen", ":"+port))
	scrape(t, address, func() {})
	end()
	if out, err := command(top, "metrics", "--listen", "systemd").CombinedOutput(); err == nil || !strings.Contains(string(out), "systemd has handed over no socket") {
		t.Errorf("without a socket: %v: %s", err, out)
	}
}

// served runs a server until end, and gives what it says line by line.
func served(t *testing.T, c *exec.Cmd) (end func(), lines *bufio.Reader) {
	t.Helper()
	out, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	return func() {
		c.Process.Signal(unix.SIGTERM)
		if c.Wait(); c.ProcessState.ExitCode() != 143 {
			t.Errorf("the server ended with %v", c.ProcessState)
		}
	}, bufio.NewReader(out)
}

// scrape asks for the figures; between: what is done before the answer is read.
func scrape(t *testing.T, address string, between func()) {
	t.Helper()
	conn := dialTCP(t, address)
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\n\r\n")
	between()
	if got, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") || !strings.Contains(string(got), "sysct_guest_running{guest=\"two\"} 1\n") {
		t.Errorf("it answers %.300q, %v", got, err)
	}
}

func dialTCP(t *testing.T, address string) net.Conn {
	t.Helper()
	for late := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.SetDeadline(late)
			return conn
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

// manySilent: who says nothing, over all slots, is hung up on, and then others are answered.
func manySilent(t *testing.T, address string) {
	t.Helper()
	var silent []net.Conn
	for range maxAskers + 1 {
		conn := dialTCP(t, address)
		defer conn.Close()
		silent = append(silent, conn)
	}
	scrape(t, address, func() {})
	for _, conn := range silent {
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
			t.Errorf("who says nothing gets %q, %v", got, err)
		}
	}
}

// withoutDescriptors: a server that can't accept says so, and goes on when it can again.
func withoutDescriptors(t *testing.T, address string, pid int, warnings *bufio.Reader) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	for none.Cur = 0; ; none.Cur++ {
		if _, err := os.Lstat("/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.FormatUint(none.Cur, 10)); err != nil {
			break
		}
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &none, nil); err != nil {
		t.Fatal(err)
	}
	scrape(t, address, func() {
		line, err := warnings.ReadString('\n')
		if err != nil || !strings.Contains(line, "cannot accept a connection, trying again:") {
			t.Errorf("it says %q, %v", line, err)
		}
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	})
}
