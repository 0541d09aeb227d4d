package main

import (
	"fmt"
	"time"
)

// refreshes are those that one sample is the mean of.
const refreshes = 20

// refreshRow is the CPU time of a refresh of top at many running guests: that of a long
// run less that of a short one.
func refreshRow(b *bench, p peer) (*probe, error) {
	_, down, err := b.up(p, many)
	if err != nil {
		return nil, err
	}
	top := func(n int) (time.Duration, error) {
		return b.cpu(append(p.argv(doTop, ""), "-n", fmt.Sprint(n)))
	}
	run := func() ([]float64, error) {
		short, err := top(2)
		if err != nil {
			return nil, err
		}
		long, err := top(2 + refreshes)
		return ms((long - short) / refreshes), err
	}
	return &probe{run: run, close: down}, nil
}

// metricsRow is the CPU time of a verb of its own that prints the metrics of as many.
func metricsRow(b *bench, p peer) (*probe, error) {
	_, down, err := b.up(p, many)
	if err != nil {
		return nil, err
	}
	run := func() ([]float64, error) {
		d, err := b.cpu(p.argv(doMetrics, ""))
		return ms(d), err
	}
	return &probe{run: run, close: down}, nil
}

// cpu runs a command and gives the CPU time that it took.
func (b *bench) cpu(argv []string) (time.Duration, error) {
	if err := b.said.Truncate(0); err != nil {
		return 0, err
	}
	cmd := b.command(argv)
	if err := cmd.Run(); err != nil {
		return 0, b.failed(argv, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
