package guest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProcessesWithHostileNames: a process chooses its name.
func TestProcessesWithHostileNames(t *testing.T) {
	p := &Process{}
	stat := "17 (a) R 1 (x\n) S 5 17 17 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 3 0 1200 4096 7 18446744073709551615 1 1 0 0 0 0 0 0 0\n"
	if err := p.stat(stat, time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}
	if p.Name != "a) R 1 (x\n" || p.State != "S" || p.Parent != 5 || p.CPU != 3 || p.Threads != 3 || !p.StartedAt.Equal(time.Unix(1012, 0)) {
		t.Errorf("got %+v", p)
	}
	status := "Name:\ta\\nUid:\t0\t0\t0\t0\nPid:\t17\nPPid:\t5\nUid:\t1001\t1002\t1003\t1004\nNSpid:\t17\t4\t1\nVmRSS:\t     44 kB\n"
	if err := p.status(status); err != nil || p.Pid != 17 || p.HostUID != 1002 || *p.GuestPid != 4 || p.Memory != 44<<10 {
		t.Errorf("got %+v, %v", p, err)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 1"} {
		if err := p.stat(bad, time.Time{}); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

// TestProcessesDontHang: reading arguments may wait for the guest for ever.
func TestProcessesDontHang(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cmdline")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if args, hung := readArgs(fd); !hung || args != nil {
		t.Errorf("got %q, %v", args, hung)
	}
	if _, err := writer.WriteString("x"); err != nil { // the read that still waits
		t.Fatal(err)
	}
	writer.Close()
}
