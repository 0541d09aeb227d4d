package main

import (
	"errors"
	"fmt"
	"time"
)

// row is one line of the result.
type row struct {
	key   string // for the option -rows
	title string
	unit  string
	most  int       // runs at most; 0: as many as are asked for
	peers peerClass // who takes part
	open  func(b *bench, p peer) (*probe, error)
}

// probe is a row made ready for one peer. Only run is measured; it gives the
// samples of a run, mostly one.
type probe struct {
	before, after func() error // may be nil
	run           func() ([]float64, error)
	close         func() error // may be nil
}

// warmups are rounds that don't count: caches fill, sysct's holder starts.
const warmups = 2

// pause before the clock starts, so that what the run before has left to the
// kernel, and to monitors that end, is done.
const pause = 20 * time.Millisecond

// samples are one peer's, of one row.
type samples struct {
	peer   peer
	values []float64
}

// measure runs a row: all peers in turn, round by round.
func (b *bench) measure(r row) (all []samples, err error) {
	var probes []*probe
	defer func() {
		for _, pr := range probes {
			err = errors.Join(err, call(pr.close))
		}
	}()
	for _, p := range b.class(r.peers) {
		pr, err := r.open(b, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.title(), err)
		}
		probes, all = append(probes, pr), append(all, samples{peer: p})
	}
	runs, skip := b.runs, warmups
	if r.most > 0 {
		runs, skip = min(runs, r.most), 0
	}
	for i := range runs + skip {
		for j, pr := range probes {
			values, err := b.once(pr)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[j].peer.title(), err)
			}
			if i >= skip {
				all[j].values = append(all[j].values, values...)
			}
		}
	}
	return all, nil
}

// once does one run.
func (b *bench) once(pr *probe) ([]float64, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	if err := call(pr.before); err != nil {
		return nil, fmt.Errorf("before the run: %w", err)
	}
	time.Sleep(pause)
	values, err := pr.run()
	if err != nil {
		return nil, err
	}
	if err := call(pr.after); err != nil {
		return nil, fmt.Errorf("after the run: %w", err)
	}
	return values, nil
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

// ms is one sample.
func ms(d time.Duration) []float64 { return []float64{float64(d) / float64(time.Millisecond)} }

// timed makes a run of a command that is measured from its start to its end.
func (b *bench) timed(argv []string) func() ([]float64, error) {
	return func() ([]float64, error) {
		d, err := b.time(argv)
		return ms(d), err
	}
}

// step makes a part of a probe that only runs a command.
func (b *bench) step(argv []string) func() error {
	return func() error {
		_, err := b.time(argv)
		return err
	}
}
