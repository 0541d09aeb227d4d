package main

import (
	"errors"
	"path/filepath"
)

// doNothing is no verb.
const doNothing verb = -1

// listening is a guest with its FIFO open.
func (b *bench) listening(p peer, k kind) (string, *fifo, error) {
	name, err := b.guest(p, k.String(), k)
	if err != nil {
		return "", nil, err
	}
	f, err := openFIFO(filepath.Join(p.rootfs(name), firstName))
	return name, f, err
}

// startRow is the time from the start command to the guest's word, while another guest
// of the peer runs.
func startRow(k kind) func(*bench, peer) (*probe, error) {
	alone := firstRow(k)
	return func(b *bench, p peer) (*probe, error) {
		other, err := b.guest(p, "other", busybox)
		if err == nil {
			err = b.step(p.argv(doStart, other))()
		}
		if err != nil {
			return nil, err
		}
		pr, err := alone(b, p)
		if err != nil {
			return nil, err
		}
		close := pr.close
		pr.close = func() error { return errors.Join(close(), b.step(p.argv(doKill, other))()) }
		return pr, nil
	}
}

// firstRow is the same while none does: sysct starts its holder too.
func firstRow(k kind) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, f, err := b.listening(p, k)
		if err != nil {
			return nil, err
		}
		run := func() ([]float64, error) {
			d, err := b.untilFirst(p.argv(doStart, name), f)
			return ms(d), err
		}
		return &probe{run: run, after: b.step(p.argv(doKill, name)), close: f.close}, nil
	}
}

// endRow is the time of the command that ends a guest which has said its word.
func endRow(k kind, v verb) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, f, err := b.listening(p, k)
		if err != nil {
			return nil, err
		}
		before := func() error {
			_, err := b.untilFirst(p.argv(doStart, name), f)
			return err
		}
		return &probe{before: before, run: b.timed(p.argv(v, name)), close: f.close}, nil
	}
}

// running starts a guest for a row; its close kills it.
func (b *bench) running(p peer, k kind) (string, func() error, error) {
	name, f, err := b.listening(p, k)
	if err != nil {
		return "", nil, err
	}
	if _, err := b.untilFirst(p.argv(doStart, name), f); err != nil {
		return "", nil, errors.Join(err, f.close())
	}
	return name, func() error { return errors.Join(f.close(), b.step(p.argv(doKill, name))()) }, nil
}

// runningRow is the time of a verb on a running guest; back takes it back.
func runningRow(v, back verb, more ...string) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, end, err := b.running(p, busybox)
		if err != nil {
			return nil, err
		}
		pr := &probe{run: b.timed(p.argv(v, name, more...)), close: end}
		if back != doNothing {
			pr.after = b.step(p.argv(back, name))
		}
		return pr, nil
	}
}

func thawRow(b *bench, p peer) (*probe, error) {
	pr, err := runningRow(doThaw, doNothing)(b, p)
	if err == nil {
		pr.before = b.step(p.argv(doFreeze, p.name(busybox.String())))
	}
	return pr, err
}

// createRow is the time of making a guest of what is cached. It is destroyed again.
func createRow(k kind) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name := p.name("new")
		argv, err := p.creation(name, k)
		if err != nil {
			return nil, err
		}
		return &probe{run: b.timed(argv), after: b.step(p.argv(doDestroy, name))}, nil
	}
}
