package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// settle is how long guests and their monitors get to come to rest: sysct's give
// back what the launch needed some seconds later.
const settle = 8 * time.Second

// monitorRow gives the proportional memory of each monitor, or with asked, after each
// has answered a user's question.
func monitorRow(n int, asked bool) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		run := func() (values []float64, err error) {
			err = b.atRest(p, n, func(names []string) error {
				if asked {
					if err := b.each(p, doInfo, names, 1); err != nil {
						return err
					}
				}
				sum := 0.0
				for _, name := range names {
					pid, err := p.monitor(name)
					if err != nil {
						return err
					}
					kib, err := proportional(pid)
					if err != nil {
						return err
					}
					values, sum = append(values, kib), sum+kib
				}
				b.note("mean PSS of the monitors of %d guests (asked: %v), %s: %.0f KiB", n, asked, p.title(), sum/float64(n))
				return nil
			})
			return values, err
		}
		return &probe{run: run}, nil
	}
}

// hostRow gives what the host has less of for each guest, its own processes included.
func hostRow(n int) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		if _, err := b.crowd(p, n); err != nil {
			return nil, err
		}
		run := func() (values []float64, err error) {
			before, err := available()
			if err != nil {
				return nil, err
			}
			err = b.atRest(p, n, func([]string) error {
				after, err := available()
				values = []float64{(before - after) / float64(n)}
				return err
			})
			return values, err
		}
		return &probe{run: run, after: func() error { time.Sleep(settle / 4); return nil }}, nil
	}
}

// atRest does f while n guests run and have come to rest.
func (b *bench) atRest(p peer, n int, f func(names []string) error) error {
	names, down, err := b.up(p, n)
	if err != nil {
		return err
	}
	select {
	case <-time.After(settle):
		err = f(names)
	case <-b.ctx.Done():
		err = b.ctx.Err()
	}
	if derr := down(); err == nil {
		err = derr
	}
	return err
}

// proportional is a process's share of the memory it has, in KiB.
func proportional(pid int) (float64, error) {
	return kib(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// available is the host's memory that can be had, in KiB.
func available() (float64, error) { return kib("/proc/meminfo", "MemAvailable:") }

func kib(path, name string) (float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			return strconv.ParseFloat(words[1], 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}
