package fdstore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is the far end of a store: a bound datagram socket.
func manager(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	name, dir, err := (&Store{addr: path}).reach()
	if err != nil {
		t.Fatal(err)
	}
	if dir >= 0 {
		defer unix.Close(dir)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// receive takes one datagram and its descriptors.
func receive(t *testing.T, fd int) (Message, []int) {
	t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	if oobn > 0 {
		msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			t.Fatal(err)
		}
		fds, err = unix.ParseUnixRights(&msgs[0])
		if err != nil {
			t.Fatal(err)
		}
	}
	return Parse(buf[:n]), fds
}

func TestPutAndRemove(t *testing.T) {
	for name, path := range map[string]string{
		"short": filepath.Join(t.TempDir(), "n"),
		"long":  filepath.Join(longDir(t), "notify.sock"),
	} {
		t.Run(name, func(t *testing.T) {
			far := manager(t, path)
			s := open(t, path)
			if err := s.Put("init", 0); err != nil {
				t.Fatal(err)
			}
			m, fds := receive(t, far)
			if !m.Has("FDSTORE", "1") || !m.Has("FDNAME", "init") || !m.Has("FDPOLL", "0") || len(fds) != 1 {
				t.Errorf("put arrived as %v with %d descriptors", m, len(fds))
			}
			unix.Close(fds[0])
			if err := s.Remove("init"); err != nil {
				t.Fatal(err)
			}
			m, fds = receive(t, far)
			if !m.Has("FDSTOREREMOVE", "1") || !m.Has("FDNAME", "init") || len(fds) != 0 {
				t.Errorf("remove arrived as %v with %d descriptors", m, len(fds))
			}
		})
	}
}

func longDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBarrier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	far := manager(t, path)
	s := open(t, path)
	if err := s.Barrier(time.Millisecond); err == nil {
		t.Error("barrier passed before anybody read it")
	}
	_, fds := receive(t, far)
	unix.Close(fds[0])
	done := make(chan error)
	go func() { done <- s.Barrier(time.Minute) }()
	m, fds := receive(t, far)
	if !m.Has("BARRIER", "1") || len(fds) != 1 {
		t.Fatalf("barrier arrived as %v with %d descriptors", m, len(fds))
	}
	unix.Close(fds[0])
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNobodyThere(t *testing.T) {
	if _, err := Open(""); !errors.Is(err, ErrNone) {
		t.Errorf("Open without an address: %v", err)
	}
	if _, err := Open("relative"); err == nil {
		t.Error("a relative address was taken")
	}
	s := open(t, filepath.Join(t.TempDir(), "gone"))
	if err := s.Put("init", 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("Put without a manager: %v", err)
	}
	if err := s.Put("a:b", 0); err == nil {
		t.Error("Put took a name with a colon")
	}
}

// TestReceived runs this test in a child that was given descriptors.
func TestReceived(t *testing.T) {
	if os.Getenv("SYSCT_TEST_CHILD") != "" {
		child(t)
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestReceived$")
	cmd.Env = append(Environ([]string{"plan", "init"}), "SYSCT_TEST_CHILD=1")
	cmd.ExtraFiles = []*os.File{r, w}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func child(t *testing.T) {
	got, err := Received()
	if err != nil {
		t.Fatal(err)
	}
	if want := []Stored{{"plan", 3}, {"init", 4}}; !slices.Equal(got, want) {
		t.Errorf("Received() = %v, want %v", got, want)
	}
	for _, s := range got {
		if flags, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %d, %v; want close-on-exec", s.FD, flags, err)
		}
	}
	if v, ok := os.LookupEnv("LISTEN_FDS"); ok {
		t.Errorf("LISTEN_FDS=%s is still in the environment", v)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		pid, fds, list string
		want           []string
		fails          bool
	}{
		{"", "", "", nil, false},
		{"42", "2", "a:b", []string{"a", "b"}, false},
		{"41", "2", "a:b", nil, false}, // meant for another process
		{"", "2", "a:b", []string{"a", "b"}, false},
		{"42", "2", "a", []string{"a", "unknown"}, false},
		{"42", "x", "", nil, true},
		{"42", "-1", "", nil, true},
		{"42", "99999999", "", nil, true},
	} {
		got, err := names(map[string]string{"LISTEN_PID": c.pid, "LISTEN_FDS": c.fds, "LISTEN_FDNAMES": c.list}, 42)
		if !slices.Equal(got, c.want) || (err != nil) != c.fails {
			t.Errorf("names(%q, %q, %q) = %v, %v", c.pid, c.fds, c.list, got, err)
		}
	}
}
