package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// viewed are the virtual files that both have, and sysinfo(2).
var viewed = [...]string{"/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/uptime", "/proc/loadavg",
	"/proc/swaps", "/proc/diskstats", "/sys/devices/system/cpu/online", sysinfoWord}

// viewRows are the rows of what a guest sees: warm with 1 and with 8 readers, median and
// the 99th percentile of 2,000 readings, and after a second without any.
func viewRows() []row {
	var all []row
	for _, file := range viewed {
		name := filepath.Base(file)
		for _, readers := range []int{1, 8} {
			r := reading{File: file, Readers: readers, Count: 2000}
			key := fmt.Sprintf("view-%s-%d", name, readers)
			title := fmt.Sprintf("read of %s, %d at once", name, readers)
			all = append(all,
				row{key, title, "µs", 5, views, viewRow(r, func(t took) float64 { return t.Median })},
				row{key + "-p99", "the same, 99th percentile", "µs", 5, views, viewRow(r, func(t took) float64 { return t.P99 })})
		}
	}
	for _, file := range []string{"/proc/meminfo", "/proc/stat", "/proc/cpuinfo"} {
		r := reading{File: file, Readers: 1, Count: 5, Pause: time.Second}
		all = append(all, row{"view-" + filepath.Base(file) + "-second", "read of " + filepath.Base(file) + ", once a second", "µs", 2, views,
			viewRow(r, func(t took) float64 { return t.Median })})
	}
	return append(all,
		row{"view-beside", "read of meminfo every 60 ms beside a guest that reads without end", "µs", 3, views, besideRow},
		row{"view-cost", "the server's CPU time for a read of meminfo, once a second", "µs", 1, views, serverRow(5)},
		row{"view-idle", "the server's CPU time in 5 s in which nobody reads", "µs", 2, views, serverRow(0)})
}

// viewRow is a figure of one round of readings in a guest.
func viewRow(r reading, figure func(took) float64) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, end, err := b.reader(p)
		if err != nil {
			return nil, err
		}
		run := func() ([]float64, error) {
			result, err := b.read(p, name, r)
			return []float64{figure(result)}, err
		}
		return &probe{run: run, close: end}, nil
	}
}

// besideRow is the median of what is read in a guest while 4 threads of another one read
// without end.
func besideRow(b *bench, p peer) (*probe, error) {
	name, end, err := b.reader(p)
	if err != nil {
		return nil, err
	}
	other, err := b.guest(p, "other", busybox)
	if err == nil {
		err = b.carry(filepath.Join(p.rootfs(other), readerPath))
	}
	if err == nil {
		err = b.step(p.argv(doStart, other))()
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	run := func() ([]float64, error) {
		hammer := reading{File: viewed[0], Readers: 4, Direct: true, For: 5 * time.Second}
		cmd, err := b.spawn(p.argv(doExec, other, hammer.args()...))
		if err != nil {
			return nil, err
		}
		time.Sleep(2 * time.Second) // what it may have at once is used up
		result, err := b.read(p, name, reading{File: viewed[0], Readers: 1, Count: 30, Pause: 60 * time.Millisecond})
		return []float64{result.Median}, errors.Join(err, cmd.Wait())
	}
	return &probe{run: run, close: func() error { return errors.Join(end(), b.step(p.argv(doKill, other))()) }}, nil
}

// reader starts a guest that has this program in it.
func (b *bench) reader(p peer) (string, func() error, error) {
	name, err := b.guest(p, busybox.String(), busybox)
	if err == nil {
		err = b.carry(filepath.Join(p.rootfs(name), readerPath))
	}
	if err != nil {
		return "", nil, err
	}
	return b.running(p, busybox)
}

// carry copies this program, unless it is there.
func (b *bench) carry(to string) error {
	if exists(to) {
		return nil
	}
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, from); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// read has a guest's program read.
func (b *bench) read(p peer, name string, r reading) (t took, err error) {
	text, err := b.output(p.argv(doExec, name, r.args()...)...)
	if err != nil {
		return t, err
	}
	return t, json.NewDecoder(bytes.NewBufferString(text)).Decode(&t)
}

// serverRow gives the CPU time that the server of the views takes for each of n readings
// of meminfo, a second apart; of none: what it takes in 5 s.
func serverRow(n int) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, end, err := b.reader(p)
		if err != nil {
			return nil, err
		}
		run := func() ([]float64, error) {
			pid, err := b.server(p, name)
			if err != nil {
				return nil, err
			}
			time.Sleep(settle) // the launch is over, and what it left is given back
			if pid == 0 {
				return []float64{0}, nil // the kernel's own files
			}
			before, err := cpuTime(pid)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				time.Sleep(5 * time.Second)
			} else if _, err = b.read(p, name, reading{File: viewed[0], Readers: 1, Count: n, Pause: time.Second}); err != nil {
				return nil, err
			}
			after, err := cpuTime(pid)
			return []float64{float64(after-before) / float64(time.Microsecond) / float64(max(n, 1))}, err
		}
		return &probe{run: run, close: end}, nil
	}
}

// server is the process that serves a guest's views; 0: it sees the kernel's.
func (b *bench) server(p peer, name string) (int, error) {
	switch {
	case p == peer(b.sysct):
		return p.monitor(name)
	case p == b.peers[2] && b.lxcfs != nil:
		return b.lxcfs.cmd.Process.Pid, nil
	}
	return 0, nil
}

// cpuTime is what all threads of a process have run. Source: kernel,
// Documentation/scheduler/sched-stats.rst (/proc/PID/schedstat).
func cpuTime(pid int) (time.Duration, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, t := range threads {
		text, err := os.ReadFile(filepath.Join(dir, t.Name(), "schedstat"))
		if err != nil {
			return 0, err
		}
		ran, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ran)
	}
	return sum, nil
}
