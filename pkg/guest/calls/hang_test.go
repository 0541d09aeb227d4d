package calls

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views/fuse"
)

// guestHang has sysinfo(2) answered into a page of a file whose server, itself, doesn't
// answer. It doesn't come back from that but by a kill.
func guestHang(int) error {
	memory, err := deadMemory()
	if err != nil {
		return err
	}
	return fmt.Errorf("sysinfo: %v", sysinfo(uintptr(memory)))
}

func deadMemory() (unsafe.Pointer, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Mount("dead", "/mnt", "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0", dev)); err != nil {
		return nil, err
	}
	var dead atomic.Bool
	file := fuse.File{Path: "file", Render: func(b []byte) []byte { return append(b, strings.Repeat("x", 4096)...) }}
	server, err := fuse.New(dev, make([]byte, fuse.SlotSize), &fuse.Table{Files: []fuse.File{file}}, func() fuse.Now {
		return fuse.Now{Mono: time.Duration(time.Now().UnixNano())}
	})
	if err != nil {
		return nil, err
	}
	go func() {
		for err := error(nil); err == nil; err = server.Serve(1) {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(dev), Events: unix.POLLIN}}, -1)
			if dead.Load() {
				// One that is taken is waited for whatever comes.
				_, _ = unix.Read(dev, make([]byte, fuse.SlotSize))
				select {}
			}
		}
	}()
	// Twice: after the first one the kernel knows that it needn't say that a file is closed, and
	// this process can end.
	first, err := os.Open("/mnt/file")
	if err != nil {
		return nil, err
	}
	first.Close()
	f, err := os.Open("/mnt/file")
	if err != nil {
		return nil, err
	}
	if _, err := f.Stat(); err != nil { // or it would have no size
		return nil, err
	}
	dead.Store(true)
	return unix.MmapPtr(int(f.Fd()), 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
}

// guestKernel is answered by the kernel.
func guestKernel(int) error {
	var info unix.Sysinfo_t
	if errno := sysinfo(uintptr(unsafe.Pointer(&info))); errno != 0 || info.Totalram == wanted.Totalram || info.Totalram == 0 {
		return fmt.Errorf("sysinfo: %v, %+v", errno, info)
	}
	return nil
}

// TestHang: memory that doesn't respond holds up who gave it, and nobody else. When too
// much of it is around, the kernel answers, until it is gone.
func TestHang(t *testing.T) {
	s := newSite(t, nil)
	var hung []*exec.Cmd
	var waits []func() error
	for range maxStuck {
		cmd, wait := s.run("hang")
		hung, waits = append(hung, cmd), append(waits, wait)
		s.until(fmt.Sprintf("%d workers that hang", len(hung)), func() bool { return int(s.server.stuck.Load()) == len(hung) })
		if len(hung) < maxStuck {
			_, wait := s.run("loop 100")
			if err := wait(); err != nil {
				t.Errorf("beside %d that hang: %v", len(hung), err)
			}
		}
	}
	if pid := s.server.Hanging(); pid != hung[0].Process.Pid {
		t.Errorf("process %d is said to hang, not %d", pid, hung[0].Process.Pid)
	}
	if s.server.Pause() {
		t.Error("the program would be replaced with a thread that can't end")
	}
	_, wait := s.run("kernel")
	if err := wait(); err != nil {
		t.Error(err)
	}
	for i, cmd := range hung {
		_ = cmd.Process.Kill()
		if err := waits[i](); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("one that hung: %v", err)
		}
	}
	s.until("no worker that hangs", func() bool { return s.server.stuck.Load() == 0 })
	if pid := s.server.Hanging(); pid != 0 {
		t.Errorf("process %d is said to hang", pid)
	}
	_, wait = s.run("figures")
	if err := wait(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if !s.server.Pause() {
		t.Error("there is no pause")
	}
}

// TestSuccessorHang: of the calls that a server has received, and not answered, one that hangs
// doesn't keep the next server from answering the others.
func TestSuccessorHang(t *testing.T) {
	first := newSite(t, nil)
	received := make(chan bool, 1)
	first.server.o.Failpoint = func(name string) error {
		if name == "answer call" {
			received <- true
			select {} // as if it were killed
		}
		return nil
	}
	hung, waitHung := first.run("hang")
	first.until("a worker that hangs", func() bool { return first.server.stuck.Load() == 1 })
	_, wait := first.run("figures")
	<-received
	second := newSite(t, first.memory)
	for number, l := range first.server.listeners {
		fd, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			err = second.server.Add(number, fd, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	second.server.Start()
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("an innocent caller isn't answered")
	}
	_ = hung.Process.Kill()
	_ = waitHung()
	second.until("no worker that hangs", func() bool { return second.server.stuck.Load() == 0 })
}

func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("there is not, in a minute: %s", what)
		}
	}
}
