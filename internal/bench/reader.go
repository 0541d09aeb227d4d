package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// readerWord makes this program the one that reads in a guest, where a copy of it is.
const readerWord = "read"

// readerPath is that copy in a guest's tree.
const readerPath = "/bench-reader"

// sysinfoWord is read by sysinfo(2), not from a file.
const sysinfoWord = "sysinfo"

// reading is what a reader has to do.
type reading struct {
	File    string        // or sysinfoWord
	Readers int           // threads that do it at the same time
	Count   int           // how often each
	Pause   time.Duration // between two times
	Direct  bool          // past the page cache, where the file can be read so
	For     time.Duration // if set, as often as it can for so long, which isn't timed
}

// took is what it took, in microseconds.
type took struct {
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
}

// readerMain runs in a guest and prints a took.
func readerMain(args []string) error {
	var r reading
	f := flag.NewFlagSet(readerWord, flag.ContinueOnError)
	f.StringVar(&r.File, "file", "/proc/meminfo", "")
	f.IntVar(&r.Readers, "readers", 1, "")
	f.IntVar(&r.Count, "count", 1, "")
	f.DurationVar(&r.Pause, "pause", 0, "")
	f.BoolVar(&r.Direct, "direct", false, "")
	f.DurationVar(&r.For, "for", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	result, err := r.do()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// args are the arguments by which the program in the guest is told.
func (r reading) args() []string {
	return []string{readerPath, readerWord, "-file", r.File, "-readers", fmt.Sprint(r.Readers),
		"-count", fmt.Sprint(r.Count), "-pause", r.Pause.String(), "-for", r.For.String(), fmt.Sprintf("-direct=%v", r.Direct)}
}

func (r reading) do() (took, error) {
	flags := syscall.O_RDONLY | syscall.O_CLOEXEC
	if r.Direct && readFile(r.File, flags|syscall.O_DIRECT) == nil { // the kernel's own can't be
		flags |= syscall.O_DIRECT
	}
	once := func() error { return readFile(r.File, flags) }
	if r.File == sysinfoWord {
		once = func() error {
			var info syscall.Sysinfo_t
			return syscall.Sysinfo(&info)
		}
	}
	all := make([][]time.Duration, r.Readers)
	errs := make([]error, r.Readers)
	var wg sync.WaitGroup
	for i := range r.Readers {
		wg.Go(func() {
			runtime.LockOSThread()
			all[i], errs[i] = r.times(once)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return took{}, err
	}
	return summary(slices.Concat(all...)), nil
}

// times does it, and once before that doesn't count unless there are pauses.
func (r reading) times(once func() error) ([]time.Duration, error) {
	if err := once(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(r.For); time.Now().Before(end); {
		if err := once(); err != nil {
			return nil, err
		}
	}
	took := make([]time.Duration, r.Count)
	for i := range took {
		if r.Pause > 0 {
			time.Sleep(r.Pause)
		}
		begin := time.Now()
		if err := once(); err != nil {
			return nil, err
		}
		took[i] = time.Since(begin)
	}
	return took, nil
}

// readFile opens a file, reads it to its end and closes it, as cat does.
func readFile(path string, flags int) error {
	fd, err := syscall.Open(path, flags, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", path, err)
	}
	defer syscall.Close(fd)
	var buf [65536]byte
	for {
		n, err := syscall.Read(fd, buf[:])
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", path, err)
		}
		if n == 0 {
			return nil
		}
	}
}

func summary(times []time.Duration) took {
	if len(times) == 0 {
		return took{}
	}
	slices.Sort(times)
	at := func(part float64) float64 {
		i := min(int(float64(len(times))*part), len(times)-1)
		return float64(times[i]) / float64(time.Microsecond)
	}
	return took{Median: at(0.5), P99: at(0.99)}
}
