package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// readings is what the guest's readers say of themselves.
type readings struct {
	Reads   [8]int // of each reader, without failure
	Times   int    // reads of /proc/stat that showed no time before that of the last one
	Aborted int    // reads that failed because the connection had ended
	Failed  int    // all others that did
	Why     string // the first of these
}

// viewReader is a program in a guest: eight readers of a view at once, each in a way of its
// own, one as a user without rights. What they have seen is in /readings.
func viewReader(path string) int {
	var mu sync.Mutex
	var r readings
	beneath := nothingBetween()
	for i := range r.Reads {
		go func() {
			runtime.LockOSThread()
			if i == 5 {
				unix.RawSyscall(unix.SYS_SETRESUID, 1000, 1000, 1000) // this thread alone
			}
			held := -1
			for ; ; time.Sleep(time.Millisecond) {
				err := readView(path, i, &held)
				mu.Lock()
				switch {
				case err == nil:
					r.Reads[i]++
				case errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, errKernels) && !beneath:
					r.Aborted++
				case r.Failed == 0:
					r.Why = fmt.Sprintf("reader %d: %v", i, err)
					fallthrough
				default:
					r.Failed++
				}
				mu.Unlock()
			}
		}()
	}
	go func() {
		var last [4]uint64
		for ; ; time.Sleep(time.Millisecond) {
			next, err := timesOfCPUs()
			mu.Lock()
			switch {
			case err != nil && (errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, errKernels) && !beneath):
				r.Aborted++
			case err != nil || next[0] < last[0] || next[1] < last[1] || next[2] < last[2] || next[3] < last[3]:
				r.Failed++
				r.Why = fmt.Sprintf("times of CPUs: %v after %v, %v", next, last, err)
			default:
				r.Times++
			}
			if err == nil {
				last = next
			}
			mu.Unlock()
		}
	}()
	for ; ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		data, _ := json.Marshal(r)
		mu.Unlock()
		os.WriteFile("/readings.new", data, 0o644)
		os.Rename("/readings.new", "/readings")
	}
}

// errKernels says that it was the kernel's own file that was read.
var errKernels = errors.New("the kernel's own file is read")

// nothingBetween says whether the kernel can put one mount beneath another (Linux 6.5): then
// nobody ever sees what lies under them.
func nothingBetween() bool {
	var u unix.Utsname
	var major, minor int
	unix.Uname(&u)
	fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return major > 6 || major == 6 && minor >= 5
}

// timesOfCPUs are the first figures of /proc/stat: user, nice, system, idle.
func timesOfCPUs() (t [4]uint64, err error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t, err
	}
	if strings.Contains(string(data), "\nctxt 0") {
		_, err = fmt.Sscanf(string(data), "cpu %d %d %d %d", &t[0], &t[1], &t[2], &t[3])
		return t, err
	}
	return t, errKernels
}

// direct is the reader that goes past the page cache, which the kernel's own file refuses.
const direct = 2

// readView reads a view whole, in the manner of one of the readers.
func readView(path string, way int, held *int) error {
	flags, size := unix.O_RDONLY, 4096
	switch way {
	case 0:
		size = 1
	case 1:
		size = 1024
	case direct:
		flags |= unix.O_DIRECT
	}
	fd := *held
	if fd < 0 {
		var err error
		if fd, err = unix.Open(path, flags, 0); err == unix.EINVAL && way == direct {
			return errKernels
		} else if err != nil {
			return err
		}
	} else if _, err := unix.Seek(fd, 0, 0); err != nil {
		return err
	}
	var text strings.Builder
	b := make([]byte, size)
	for {
		n, err := unix.Read(fd, b)
		if err != nil {
			unix.Close(fd)
			*held = -1
			return err
		}
		if n == 0 {
			break
		}
		text.Write(b[:n])
	}
	if way == 3 {
		*held = fd
	} else {
		unix.Close(fd)
	}
	if s := text.String(); !strings.HasPrefix(s, "MemTotal:") || !strings.HasSuffix(s, "\n") || strings.ContainsRune(s, 0) {
		return fmt.Errorf("it reads %q", s)
	}
	return nil
}
