package calls

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/views"
)

// The test's program is also the guest's: with guestVar set it loads a filter, hands the
// listener over on descriptor 3 and calls what the variable says.
const guestVar = "SYSCT_TEST_CALLS"

func TestMain(m *testing.M) {
	if what := os.Getenv(guestVar); what != "" {
		if err := guest(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func guest(what string) error {
	runtime.LockOSThread()
	act, arg, _ := strings.Cut(what, " ")
	n, _ := strconv.Atoi(arg)
	call, ok := map[string]func(int) error{
		"figures": func(int) error { return guestFigures() }, "loop": guestLoop, "faults": guestFaults, "reboot": guestReboot,
		"hang": guestHang, "kernel": guestKernel, "exec": func(int) error { return unix.Exec(arg, []string{arg}, nil) },
	}[act]
	if !ok {
		return errors.New("cannot do " + act)
	}
	prog, err := seccomp.Build(seccomp.Policy{Notify: []string{"reboot", "sysinfo"}})
	if err != nil {
		return err
	}
	fd, err := seccomp.Load(prog, true)
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	unix.Close(fd)
	return call(n)
}

func sysinfo(addr uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SYSINFO, addr, 0, 0)
	return errno
}

var wanted = unix.Sysinfo_t{Uptime: 42, Loads: [3]uint64{65536, 32768, 0}, Totalram: 256 << 20, Freeram: 100 << 20, Sharedram: 1 << 20, Totalswap: 64 << 20, Freeswap: 32 << 20, Procs: 7, Unit: 1}

func guestFigures() error {
	info := unix.Sysinfo_t{Bufferram: 7}
	if errno := sysinfo(uintptr(unsafe.Pointer(&info))); errno != 0 || info != wanted {
		return fmt.Errorf("sysinfo: %v, %+v", errno, info)
	}
	return nil
}

func guestLoop(n int) error {
	for range n {
		if err := guestFigures(); err != nil {
			return err
		}
	}
	return nil
}

// guestFaults gives memory that isn't to be written to, and some that is.
func guestFaults(int) error {
	page := unix.Getpagesize()
	mem, err := unix.MmapPtr(-1, 0, nil, uintptr(4*page), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	at := func(i int) uintptr { return uintptr(mem) + uintptr(i*page) }
	protect := func(i, prot int) {
		unix.RawSyscall(unix.SYS_MPROTECT, at(i), uintptr(page), uintptr(prot))
	}
	protect(1, unix.PROT_READ)
	protect(3, unix.PROT_NONE)
	for name, c := range map[string]struct {
		addr uintptr
		want unix.Errno
	}{
		"null": {0, unix.EFAULT}, "read-only": {at(1), unix.EFAULT}, "not mapped": {at(4) + 1<<40, unix.EFAULT}, "kernel": {1<<63 + 4096, unix.EFAULT},
		"none": {at(3), unix.EFAULT}, "end": {at(1) - 100, unix.EFAULT}, "end of all": {at(3) - 100, unix.EFAULT},
		"lazy": {at(0), 0}, "unaligned": {at(2) + 333, 0}, "last": {at(3) - 112, 0}, "minus one": {^uintptr(0), unix.EFAULT},
	} {
		if got := sysinfo(c.addr); got != c.want {
			return fmt.Errorf("%s: %v", name, got)
		}
	}
	return nil
}

// guestReboot calls reboot(2) n times without the capability for it.
func guestReboot(n int) error {
	const nobody = 65534
	unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody)
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil || !strings.Contains(string(status), "CapEff:\t0000000000000000\n") {
		return fmt.Errorf("it still has capabilities: %w\n%s", err, status)
	}
	for range n {
		if _, _, errno := unix.RawSyscall(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2, unix.LINUX_REBOOT_CMD_HALT); errno != unix.EPERM {
			return fmt.Errorf("reboot: %v", errno)
		}
	}
	return guestFigures()
}

// site is a server with guests.
type site struct {
	t      *testing.T
	server *Server
	memory []byte
	last   int
	// memoryMiB is what the guest has.
	memoryMiB uint64
	mu        sync.Mutex
	said      []string
	unused    chan int
	other     func(n *seccomp.Notification) bool
	checked   chan bool
}

func newSite(t *testing.T, memory []byte) *site {
	s := &site{t: t, memory: memory, memoryMiB: 256, unused: make(chan int, 100), checked: make(chan bool, 1)}
	s.other = func(*seccomp.Notification) bool { return false }
	if memory == nil {
		s.memory = make([]byte, SlotsSize)
	}
	var err error
	s.server, err = New(s.memory, Options{
		Figures: func() (views.Snapshot, error) {
			return views.Snapshot{Uptime: 41500 * time.Millisecond, Load: [3]uint64{2048, 1024, 0}, Tasks: views.Tasks{Total: 7},
				Memory: views.Memory{Total: s.memoryMiB << 20, Free: 100 << 20, SwapTotal: 64 << 20, SwapFree: 32 << 20, MemoryStat: views.MemoryStat{Shmem: 1 << 20}}}, nil
		},
		Other:  func(_ bool, n *seccomp.Notification) bool { return s.other(n) },
		Unused: func(n int) { s.unused <- n },
		Watch:  func() { go s.watch() },
		Say: func(text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said = append(s.said, text)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if memory == nil {
		s.server.Start()
	}
	return s
}

// TestSuccessor: a call that a server has received, and not answered, is answered by the next
// one.
func TestSuccessor(t *testing.T) {
	first := newSite(t, nil)
	received := make(chan bool)
	first.server.o.Failpoint = func(name string) error {
		if name == "answer call" {
			received <- true
			select {} // as if it were killed
		}
		return nil
	}
	_, wait := first.run("figures")
	<-received
	listener, err := unix.FcntlInt(uintptr(first.server.listeners[1].fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	second := newSite(t, first.memory)
	if err := second.server.Add(7, listener, true); err != nil {
		t.Fatal(err)
	}
	second.server.Start()
	if err := wait(); err != nil {
		t.Error(err)
	}
	second.until("a slot without the call", func() bool { return second.server.claimWaiting() == nil })
}

func (s *site) watch() {
	for time.Sleep(CheckAfter / 10); s.server.Check(); time.Sleep(CheckAfter / 10) {
	}
}

// run starts a guest that does what is said; the result waits for its end.
func (s *site) run(what string) (cmd *exec.Cmd, wait func() error) {
	s.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), guestVar+"="+what)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID} // so that reboot(2) can't be the host's
	var out strings.Builder
	cmd.Stderr, cmd.Stdout = &out, new(bytes.Buffer)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	theirs.Close()
	fd, err := receiveFD(pair[0])
	unix.Close(pair[0])
	if err != nil {
		s.t.Fatalf("no listener: %v, %v: %s", err, cmd.Wait(), out.String())
	}
	s.last++
	if err := s.server.Add(s.last, fd, true); err != nil {
		s.t.Fatal(err)
	}
	return cmd, func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w: %s", err, out.String())
		}
		return nil
	}
}

func receiveFD(socket int) (int, error) {
	oob := make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, errors.Join(err, errors.New("no message"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

func TestCalls(t *testing.T) {
	s := newSite(t, nil)
	for _, what := range []string{"figures", "faults", "reboot 1"} {
		_, wait := s.run(what)
		if err := wait(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		<-s.unused
	}
}

func TestManyCallers(t *testing.T) {
	s := newSite(t, nil)
	var all sync.WaitGroup
	for range 8 {
		_, wait := s.run("loop 2000")
		all.Go(func() {
			if err := wait(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func BenchmarkSysinfo(b *testing.B) {
	s := newSite(&testing.T{}, nil)
	_, wait := s.run(fmt.Sprintf("loop %d", b.N))
	if err := wait(); err != nil {
		b.Error(err)
	}
}
