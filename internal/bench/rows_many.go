package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// many is how many guests the rows of many have at most.
const many = 100

// crowd makes a peer's guests.
func (b *bench) crowd(p peer, n int) ([]string, error) {
	names := make([]string, n)
	for i := range names {
		var err error
		if names[i], err = b.guest(p, fmt.Sprintf("g%02d", i), busybox); err != nil {
			return nil, err
		}
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// each does a verb with all guests, some at once, and waits for all.
func (b *bench) each(p peer, v verb, names []string, atOnce int) error {
	queue := make(chan string, len(names))
	for _, name := range names {
		queue <- name
	}
	close(queue)
	errs := make([]error, atOnce)
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Go(func() {
			for name := range queue {
				if err := b.command(p.argv(v, name)).Run(); err != nil {
					errs[i] = b.failed(p.argv(v, name), err)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// up starts guests; the function that is returned ends them.
func (b *bench) up(p peer, n int) ([]string, func() error, error) {
	names, err := b.crowd(p, n)
	if err != nil {
		return nil, nil, err
	}
	down := func() error { return b.each(p, doKill, names, 1) }
	if err := b.each(p, doStart, names, 1); err != nil {
		return nil, nil, errors.Join(err, down())
	}
	return names, down, nil
}

// startsRow is the time in which all guests are started.
func startsRow(atOnce int) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		names, err := b.crowd(p, many)
		if err != nil {
			return nil, err
		}
		run := func() ([]float64, error) {
			begin := time.Now()
			err := b.each(p, doStart, names, atOnce)
			return ms(time.Since(begin)), err
		}
		return &probe{run: run, after: func() error { return b.each(p, doKill, names, 1) }}, nil
	}
}

// listRow is the time of a list. Both peers' guests run at once if they run.
func listRow(v verb, running bool) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		names, err := b.crowd(p, many)
		if err != nil {
			return nil, err
		}
		if err := b.complete(p, v, names); err != nil || !running {
			return &probe{run: b.timed(p.argv(v, ""))}, err
		}
		_, down, err := b.up(p, many)
		return &probe{run: b.timed(p.argv(v, "")), close: down}, err
	}
}

// complete checks that a list has all guests.
func (b *bench) complete(p peer, v verb, names []string) error {
	text, err := b.output(p.argv(v, "")...)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.Contains(text, name) {
			return fmt.Errorf("%s isn't in the list", filepath.Base(name))
		}
	}
	return nil
}
