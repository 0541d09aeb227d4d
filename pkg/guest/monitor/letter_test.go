package monitor

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLetter: what is in a letter is there for every monitor, and a manager sees a socket.
func TestLetter(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path, err := unix.Open(f.Name(), unix.O_PATH|unix.O_CLOEXEC, 0) // as a detached mount is
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(path)
	l, err := newLetter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	var own, st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &own); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(l, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		t.Errorf("it is seen with mode %#o, %v", st.Mode, err)
	}
	for range 3 {
		got, err := openLetter(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Fstat(got, &st); err != nil || st.Ino != own.Ino || st.Dev != own.Dev {
			t.Errorf("it has inode %d, %v; want %d", st.Ino, err, own.Ino)
		}
		if flags, err := unix.FcntlInt(uintptr(got), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("children would have it: %#x, %v", flags, err)
		}
		unix.Close(got)
	}
	for _, fd := range []int{int(f.Fd()), path} {
		if _, err := openLetter(fd); !errors.Is(err, errNoLetter) {
			t.Errorf("of a file: %v", err)
		}
	}
}
