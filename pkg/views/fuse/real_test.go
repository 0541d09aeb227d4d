package fuse

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// served is a file system of the kernel, mounted nowhere, that a server answers for.
type served struct {
	t      *testing.T
	fd     int // /dev/fuse
	root   int
	slot   []byte
	server *Server

	mu      sync.Mutex
	clock   time.Duration
	content map[string]string
	renders int
	asked   []uint32 // the operations that were asked for
	stop    chan struct{}
	done    chan error
}

func newServed(t *testing.T) *served {
	t.Helper()
	s := &served{t: t, slot: make([]byte, SlotSize), content: map[string]string{"meminfo": "one\n", "cpu/online": "0-1\n"}, clock: time.Hour}
	var err error
	if s.fd, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	s.root = mounted(t, "fuse", map[string]string{"fd": strconv.Itoa(s.fd), "rootmode": "40555", "user_id": "0", "group_id": "0", "allow_other": "", "default_permissions": ""})
	s.server = s.newServer()
	s.serve()
	t.Cleanup(func() {
		s.halt()
		unix.Close(s.root)
		unix.Close(s.fd)
	})
	return s
}

func mounted(t *testing.T, fstype string, options map[string]string) int {
	t.Helper()
	ctx, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ctx)
	for key, value := range options {
		if value == "" {
			err = unix.FsconfigSetFlag(ctx, key)
		} else {
			err = unix.FsconfigSetString(ctx, key, value)
		}
		if err != nil {
			t.Fatalf("%s=%s: %v", key, value, err)
		}
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func (s *served) newServer() *Server {
	s.t.Helper()
	render := func(name string) func([]byte) []byte {
		return func(b []byte) []byte {
			s.renders++
			return append(b, s.content[name]...)
		}
	}
	server, err := New(s.fd, s.slot, &Table{UID: 7, GID: 8,
		Files:   []File{{"meminfo", 50 * time.Millisecond, render("meminfo")}, {"cpu/online", time.Hour, render("cpu/online")}},
		Counted: []Counted{{"cpu", "cpu", func() int { return len(s.content["cpu/online"]) - 2 }, numbered()}},
	}, func() Now { return Now{Mono: s.clock, Wall: int64(s.clock)} })
	if err != nil {
		s.t.Fatal(err)
	}
	server.Failpoint = func() { s.asked = append(s.asked, native.Uint32(s.slot[4:])) }
	return server
}

// serve answers in a goroutine, as an event loop would.
func (s *served) serve() {
	s.stop, s.done = make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-s.stop:
				s.done <- nil
				return
			default:
			}
			unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, 5)
			s.mu.Lock()
			err := s.server.Serve(3)
			s.mu.Unlock()
			if err != nil {
				s.done <- err
				return
			}
		}
	}()
}

// halt ends that.
func (s *served) halt() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
		<-s.done
	}
}

// set changes a content, and the time with it.
func (s *served) set(name, text string, later time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content[name] = text
	s.clock += later
}

// counts forgets what was asked and gives it.
func (s *served) counts() (asked []uint32, renders int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, renders = s.asked, s.renders
	s.asked, s.renders = nil, 0
	return asked, renders
}

func (s *served) open(name string, flags int) int {
	s.t.Helper()
	fd, err := unix.Openat(s.root, name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		s.t.Fatalf("open %s: %v", name, err)
	}
	return fd
}

// read reads to the end, in pieces.
func (s *served) read(fd, piece int) string {
	s.t.Helper()
	var all strings.Builder
	b := make([]byte, piece)
	for {
		n, err := unix.Read(fd, b)
		if err != nil {
			s.t.Fatalf("read: %v", err)
		}
		if n == 0 {
			return all.String()
		}
		all.Write(b[:n])
	}
}

func (s *served) cat(name string) string {
	s.t.Helper()
	fd := s.open(name, unix.O_RDONLY)
	defer unix.Close(fd)
	return s.read(fd, 4096)
}

func (s *served) want(got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("it is %q, want %q", got, want)
	}
}

// becomes waits until a reader sees a content. How late that is depends on the kernel's
// ticks, which an emulated machine may lose.
func (s *served) becomes(want string, read func() string) {
	s.t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		wait()
		if got = read(); got == want {
			return
		}
	}
	s.t.Errorf("it stays %q, want %q", got, want)
}

// wait is for the kernel to take attributes for old: their time is its own, and counted in
// its ticks.
func wait() { time.Sleep(250 * time.Millisecond) }

func TestReads(t *testing.T) {
	s := newServed(t)
	s.want(s.cat("meminfo"), "one\n")
	s.want(s.cat("cpu/online"), "0-1\n")
	s.counts()
	for range 5 {
		s.want(s.cat("cpu/online"), "0-1\n")
	}
	if asked, renders := s.counts(); len(asked) > 0 || renders > 0 {
		t.Errorf("of reads of what is known, %v was asked and rendered %d times", asked, renders)
	}

	held := s.open("meminfo", unix.O_RDONLY)
	defer unix.Close(held)
	s.want(s.read(held, 1), "one\n")
	s.set("meminfo", "two\n", time.Second)
	s.becomes("two\n", func() string {
		unix.Seek(held, 0, 0)
		return s.read(held, 1024)
	})
	s.set("meminfo", "three\n", time.Second)
	s.becomes("three\n", func() string { return s.cat("meminfo") })
	s.counts()
	s.set("meminfo", "three\n", time.Second)
	var asked []uint32
	for end := time.Now().Add(time.Minute); len(asked) == 0 && time.Now().Before(end); {
		wait()
		s.want(s.cat("meminfo"), "three\n")
		asked, _ = s.counts()
	}
	if len(asked) == 0 || slices.ContainsFunc(asked, func(op uint32) bool { return op != opGetattr }) {
		t.Errorf("of a content that stays the same, %v was asked", asked)
	}

	direct := s.open("meminfo", unix.O_RDONLY|unix.O_DIRECT)
	defer unix.Close(direct)
	s.want(s.read(direct, 4096), "three\n")
	s.set("meminfo", "fours\n", time.Second)
	unix.Seek(direct, 0, 0)
	s.want(s.read(direct, 4096), "fours\n")
	s.counts()
	for range 20 {
		unix.Seek(direct, 0, 0)
		s.read(direct, 4096)
	}
	if _, renders := s.counts(); renders > 0 {
		t.Errorf("who goes past the page cache has it rendered %d times within its time", renders)
	}
}

func TestChanged(t *testing.T) {
	s := newServed(t)
	s.want(s.cat("cpu/online"), "0-1\n")
	s.set("cpu/online", "0-2 \n", time.Minute)
	s.want(s.cat("cpu/online"), "0-1\n")
	s.mu.Lock()
	err := s.server.Changed()
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.cat("cpu/online"), "0-2 \n")
}

func TestDirectories(t *testing.T) {
	s := newServed(t)
	list := func(name string) string {
		fd := s.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
		f := os.NewFile(uintptr(fd), name)
		defer f.Close()
		names, err := f.Readdirnames(-1)
		if err != nil {
			t.Error(err)
		}
		return strings.Join(names, " ")
	}
	s.want(list("."), "meminfo cpu")
	s.want(list("cpu"), "online cpu0 cpu1")
	s.want(list("cpu/cpu1"), "topology")
	s.want(list("cpu/cpu1/topology"), "id all")
	s.want(s.cat("cpu/cpu1/topology/id"), "1\n")
	held := s.open("cpu/cpu0/topology/all", unix.O_RDONLY)
	defer unix.Close(held)
	s.want(s.read(held, 4096), "2\n")
	s.set("cpu/online", strings.Repeat("x", 502), time.Second)
	s.becomes("500\n", func() string {
		unix.Seek(held, 0, 0)
		return s.read(held, 4096)
	})
	s.want(s.cat("cpu/cpu499/topology/id"), "499\n")
	if n := len(strings.Fields(list("cpu"))); n != 501 {
		t.Errorf("a large directory has %d entries", n)
	}
	for name, want := range map[string]error{"none": unix.ENOENT, "cpu/cpu500": unix.ENOENT, "cpu/cpu00": unix.ENOENT, "cpu/cpu": unix.ENOENT,
		"cpu/cpu-1": unix.ENOENT, "cpu/cpu1/online": unix.ENOENT, "cpu/cpu1/topology/cpu1": unix.ENOENT, "cpu/cpu1/topology/id/x": unix.ENOTDIR, "meminfo/x": unix.ENOTDIR, strings.Repeat("n", 1025): unix.ENAMETOOLONG, strings.Repeat("n", 255): unix.ENOENT} {
		if fd, err := unix.Openat(s.root, name, unix.O_RDONLY, 0); err != want {
			unix.Close(fd)
			t.Errorf("open %s: %v, want %v", name, err, want)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstatat(s.root, "meminfo", &st, 0); err != nil || st.Uid != 7 || st.Gid != 8 || st.Mode != unix.S_IFREG|0o444 || st.Size != 4 {
		t.Errorf("stat: %+v, %v", st, err)
	}
}

// TestRefused: what a read-only file system of such files can't do fails, and nobody
// hangs.
func TestRefused(t *testing.T) {
	s := newServed(t)
	fd := s.open("meminfo", unix.O_RDWR)
	defer unix.Close(fd)
	dir := s.open("cpu", unix.O_RDONLY)
	defer unix.Close(dir)
	var fs unix.Statfs_t
	for what, err := range map[string]error{
		"write":     second(unix.Write(fd, []byte("x"))),
		"truncate":  unix.Ftruncate(fd, 0),
		"chmod":     unix.Fchmod(fd, 0o777),
		"create":    second(unix.Openat(s.root, "new", unix.O_CREAT|unix.O_WRONLY, 0o600)),
		"mkdir":     unix.Mkdirat(s.root, "new", 0o700),
		"unlink":    unix.Unlinkat(s.root, "meminfo", 0),
		"rename":    unix.Renameat(s.root, "meminfo", s.root, "new"),
		"rename2":   unix.Renameat2(s.root, "meminfo", s.root, "new", unix.RENAME_NOREPLACE),
		"link":      unix.Linkat(s.root, "meminfo", s.root, "new", 0),
		"symlink":   unix.Symlinkat("x", s.root, "new"),
		"mknod":     unix.Mknodat(s.root, "new", unix.S_IFREG, 0),
		"tmpfile":   second(unix.Openat(s.root, "cpu", unix.O_TMPFILE|unix.O_WRONLY, 0o600)),
		"xattr":     second(unix.Fgetxattr(fd, "user.x", nil)),
		"setxattr":  unix.Fsetxattr(fd, "user.x", nil, 0),
		"ioctl":     second(unix.IoctlGetInt(fd, 0x1234)),
		"fallocate": unix.Fallocate(fd, 0, 0, 10),
		"readlink":  second(unix.Readlinkat(s.root, "meminfo", make([]byte, 10))),
	} {
		if err == nil {
			t.Errorf("%s is done", what)
		}
	}
	for what, err := range map[string]error{
		"fsync": unix.Fsync(fd), "statfs": unix.Fstatfs(s.root, &fs), "flock": unix.Flock(fd, unix.LOCK_EX),
		"poll": second(unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.want(s.cat("meminfo"), "one\n")
}

func second[T any](_ T, err error) error { return err }

// TestEightAtOnce: and each has one content, whole.
func TestEightAtOnce(t *testing.T) {
	s := newServed(t)
	s.set("meminfo", strings.Repeat("a", 9000)+"\n", 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				text := s.cat("meminfo")
				if len(text) != 9001 || strings.Trim(text, text[:1]) != "\n" {
					t.Errorf("round %d: %d bytes, not of one kind", i, len(text))
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestSuccession: a server dies at any moment, and who reads gets what it asked for from
// the next.
func TestSuccession(t *testing.T) {
	for name, die := range map[string]func(s *served){
		"before it takes the request": func(s *served) {},
		"with the request in the slot": func(s *served) {
			if n, err := unix.Read(s.fd, s.slot); err != nil || n < inHeader {
				s.t.Fatalf("read: %d, %v", n, err)
			}
		},
		"with a request that nobody has": func(s *served) {
			if _, err := unix.Read(s.fd, make([]byte, SlotSize)); err != nil {
				s.t.Fatal(err)
			}
		},
		"after the answer": func(s *served) {
			unix.Read(s.fd, s.slot)
			copied := append([]byte(nil), s.slot...)
			if err := s.server.answer(); err != nil {
				s.t.Fatal(err)
			}
			copy(s.slot, copied)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServed(t)
			s.cat("meminfo")
			s.halt()
			wait()
			s.set("meminfo", "two\n", time.Second)
			got := make(chan string)
			go func() { got <- s.cat("meminfo") }()
			unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, 60000)
			die(s)
			s.server = s.newServer()
			resends, err := s.server.Resume()
			if err != nil || !resends {
				t.Fatalf("resume: %v, %v", resends, err)
			}
			if native.Uint32(s.slot) != 0 {
				t.Error("what was in the slot isn't answered")
			}
			s.serve()
			select {
			case text := <-got:
				s.want(text, "two\n")
			case <-time.After(time.Minute):
				t.Fatal("the reader hangs")
			}
		})
	}
}

func TestGone(t *testing.T) {
	s := newServed(t)
	var st unix.Stat_t
	if err := unix.Fstatat(s.root, "meminfo", &st, 0); err != nil {
		t.Fatal(err)
	}
	control := mounted(t, "fusectl", nil)
	defer unix.Close(control)
	fd, err := unix.Openat(control, fmt.Sprintf("%d/abort", unix.Minor(st.Dev)), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("1")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.done:
		if err != ErrGone {
			t.Errorf("it ends with %v", err)
		}
		close(s.stop)
	case <-time.After(time.Minute):
		t.Fatal("an aborted connection isn't noticed")
	}
}
