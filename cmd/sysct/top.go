package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/console/terminal"
	"github.com/sysct/sysct/pkg/limits"
)

type topOptions struct {
	batch, json, reverse bool
	delay                delayFlag
	times                int
	sort                 string
}

const topLong = `Show what the running guests use, again and again.

CPU is that of the time between two refreshes, in percent of one CPU; THR% is for how
much of its periods a guest's quota held it up, %MEM its part of its memory limit;
RX/s and TX/s are what its interfaces received and sent;
PRESSURE is for how much of the last 10 s some process waited for CPU/memory/I/O.
A narrow terminal has no SWAP, TIME, THR%, %MEM, RX/s and TX/s, as many of these as
don't fit.

Keys: C sorts by CPU time, M by memory, I by input and output, W by the network, P by
processes, N by name; R turns the order around; space refreshes; Q ends.

-b is for programs and files: a table for each refresh, without a terminal; -n ends
after so many. --json gives one object a refresh, each on a line, with all figures.`

const topExample = `  sysct top
  sysct top -d 5 -s memory
  sysct top -b -n 1
  sysct top --json -n 10 | jq .guests[].cpu_percent`

// The delays between refreshes: the default, and the first one, which makes the first rates.
const (
	topDelay  = 2 * time.Second
	firstWait = 500 * time.Millisecond
)

func newTop(a *app) *cobra.Command {
	o := &topOptions{}
	cmd := &cobra.Command{
		Use: "top", Short: "Show what the guests use, live", Long: topLong, Example: topExample,
		Args: noArgs, ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("iterations") && o.times < 1 { // 0 stands for no end
				return invalid("--iterations must be at least 1: without it there is no end")
			}
			return runTop(cmd.Context(), a, o)
		},
	}
	f := cmd.Flags()
	f.VarP(&o.delay, "delay", "d", "time between refreshes (default 2s)")
	f.IntVarP(&o.times, "iterations", "n", 0, "end after `N` refreshes")
	f.StringVarP(&o.sort, "sort", "s", "cpu", "sort by this `column`: cpu, memory, io, pids or name")
	f.BoolVarP(&o.reverse, "reverse", "r", false, "the other way round")
	f.BoolVarP(&o.batch, "batch", "b", false, "tables, without a terminal")
	f.BoolVar(&o.json, "json", false, "JSON objects, without a terminal")
	completeFlag(cmd, "sort", words(topOrders()...))
	return cmd
}

func runTop(ctx context.Context, a *app, o *topOptions) error {
	order, err := parseTopOrder(o.sort)
	switch {
	case err != nil:
		return err
	case o.delay.or(topDelay) < 50*time.Millisecond:
		return invalid("--delay is too short: at least 0.05s")
	}
	order.reverse = o.reverse
	screen := !o.batch && !o.json
	if screen && !(term.IsTerminal(int(a.in.Fd())) && term.IsTerminal(int(a.out.Fd()))) {
		return invalid("the live screen needs a terminal\nhint: sysct top -b")
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	want := limits.WantAll
	if !o.json {
		want &^= limits.WantDetail | limits.WantQuota | limits.WantCPUs | limits.WantHugepages | limits.WantBounds
	}
	meter, err := m.Meter(want, guest.NetFigures)
	if err != nil {
		return err
	}
	defer meter.Close()
	t := &topLoop{app: a, meter: meter, order: order, delay: o.delay.or(topDelay), times: o.times}
	switch {
	case screen:
		return t.live(ctx)
	case o.json:
		return t.batch(ctx, t.printJSON)
	}
	return t.batch(ctx, t.printTable)
}

// topLoop refreshes.
type topLoop struct {
	app   *app
	meter *guest.Meter
	order topOrder
	delay time.Duration
	times int // 0: for ever
	last  *reading
}

// read takes a reading, with rates since the one before.
func (t *topLoop) read(ctx context.Context) (*reading, error) {
	list, err := t.meter.Read(ctx)
	if err != nil {
		return nil, err
	}
	t.last = newReading(t.last, time.Now(), list)
	return t.last, nil
}

// batch prints refresh after refresh. The first has rates of half a second.
func (t *topLoop) batch(ctx context.Context, print func(*reading, bool) error) error {
	if _, err := t.read(ctx); err != nil {
		return err
	}
	wait := min(t.delay, firstWait)
	for n := 0; t.times == 0 || n < t.times; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		r, err := t.read(ctx)
		if err != nil {
			return err
		}
		if err := print(r, n == 0); err != nil {
			return err
		}
		wait = t.delay
	}
	return nil
}

func (t *topLoop) printTable(r *reading, first bool) error {
	if !first {
		if err := t.app.printf("\n"); err != nil {
			return err
		}
	}
	t.order.apply(r.rows)
	for _, line := range topLines(r, t.order, 0) {
		if err := t.app.printf("%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func (t *topLoop) printJSON(r *reading, _ bool) error {
	t.order.apply(r.rows)
	enc := json.NewEncoder(t.app.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(r.document())
}

// live shows the screen until a key or a signal ends it.
func (t *topLoop) live(ctx context.Context) error {
	s, err := terminal.OpenScreen(t.app.in, t.app.out)
	if err != nil {
		return err
	}
	defer s.Close()
	wait := min(t.delay, firstWait)
	for n := 0; ; n++ {
		r, err := t.read(ctx)
		if err != nil {
			return notCancelled(err)
		}
		if t.times > 0 && n == t.times {
			return nil
		}
		if done, err := t.keys(s, r, time.After(wait)); done {
			return err
		}
		wait = t.delay
	}
}

// keys shows a reading and heeds what is typed until the timer fires.
func (t *topLoop) keys(s *terminal.Screen, r *reading, timer <-chan time.Time) (done bool, err error) {
	for {
		t.order.apply(r.rows)
		_, cols := s.Size()
		s.Show(topLines(r, t.order, cols), topHeader)
		input, ok := s.Next(timer)
		if sig, isSignal := input.Signal.(unix.Signal); isSignal {
			return true, &statusError{status: 128 + int(sig)}
		}
		switch {
		case !ok || input.Key == ' ':
			return false, nil
		case input.Key == 'q' || input.Key == 'Q':
			return true, nil
		}
		t.order = t.order.key(input.Key)
	}
}

// notCancelled: a signal that ends the verb comes to the screen, too, but perhaps later.
func notCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted: %w", err)
	}
	return err
}

// delayFlag is a duration that may be a fraction of a second: "0.5", as users of other
// tops write it.
type delayFlag struct{ durationFlag }

// Set implements pflag.Value.
func (d *delayFlag) Set(text string) error {
	if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 0 && v < 1e6 {
		t := time.Duration(v * float64(time.Second))
		d.value = &t
		return nil
	}
	return d.durationFlag.Set(text)
}
