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
	Sysinfo int    // answers of sysinfo(2) with the guest's own memory
	Longest took   // the longest that a read, or an answer of sysinfo(2), has taken
}

// took is how long something took.
type took struct {
	What string
	Time time.Duration
}

func (l *took) note(begun time.Time, what string) {
	if d := time.Since(begun); d > l.Time {
		*l = took{what, d}
	}
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
				begun := time.Now()
				err := readView(path, i, &held)
				mu.Lock()
				r.Longest.note(begun, fmt.Sprint("reader ", i))
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
		var last [5]uint64
		for ; ; time.Sleep(time.Millisecond) {
			begun := time.Now()
			next, err := timesOfCPUs()
			mu.Lock()
			r.Longest.note(begun, "the reader of the times of CPUs")
			switch {
			case err != nil && (errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, errKernels) && !beneath):
				r.Aborted++
			case err != nil || next[0] < last[0] || next[1] < last[1] || next[2] < last[2] || next[3] < last[3] || next[4] < last[4]:
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
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			var info unix.Sysinfo_t
			begun := time.Now()
			err := unix.Sysinfo(&info)
			mu.Lock()
			r.Longest.note(begun, "sysinfo(2)")
			if total := info.Totalram * uint64(info.Unit); err == nil && total == viewMemory {
				r.Sysinfo++
			} else {
				r.Failed++
				r.Why = fmt.Sprintf("sysinfo: %d bytes, %v", total, err)
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

// viewMemory is the limit of memory of a guest with readers.
const viewMemory = 512 << 20

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

// timesOfCPUs are the first figures of /proc/stat: user, nice, system, idle; and how many
// processes there were.
func timesOfCPUs() (t [5]uint64, err error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t, err
	}
	if strings.Contains(string(data), "\nctxt 0") {
		_, rest, _ := strings.Cut(string(data), "\nprocesses ")
		_, err = fmt.Sscanf(string(data), "cpu %d %d %d %d", &t[0], &t[1], &t[2], &t[3])
		_, perr := fmt.Sscan(rest, &t[4])
		return t, errors.Join(err, perr)
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
