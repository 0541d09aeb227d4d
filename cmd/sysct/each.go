package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// selection is the guests that a verb works on: names, or all of them.
type selection struct {
	all  bool
	jobs int
	// strict: with --all too a guest in the wrong state is an error.
	strict bool
}

func (s *selection) flags(cmd *cobra.Command, a *app, states ...state.State) {
	cmd.ValidArgsFunction = a.guests(0, states...)
	cmd.Flags().BoolVar(&s.all, "all", false, "all guests that the verb applies to")
	cmd.Flags().IntVarP(&s.jobs, "jobs", "j", 1, "how many guests at a time")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		switch {
		case s.all && len(args) > 0:
			return usage(errors.New("--all and names exclude each other"))
		case !s.all && len(args) == 0:
			return usage(errors.New("missing guest name"))
		case s.jobs < 1:
			return usage(errors.New("--jobs must be at least 1"))
		}
		return noneTwice(args)
	}
}

// noneTwice refuses names that stand there twice: a slip, whose second turn would
// be an error.
func noneTwice(names []string) error {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return invalid("%s is named twice", escape(name))
		}
	}
	return nil
}

// each does something with every selected guest, s.jobs at a time. One that
// fails doesn't keep the others from their turn; with --all a guest in a state in
// which there is nothing to do is passed over. The exit status is the first error's.
func (s *selection) each(cmd *cobra.Command, a *app, names []string, do func(context.Context, *guest.Manager, string) error) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	if s.all {
		if names, err = m.Names(); err != nil {
			return err
		}
	}
	if len(names) == 1 {
		return s.pass(a, about(names[0], do(cmd.Context(), m, names[0])))
	}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, s.jobs)
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.pass(a, about(name, do(cmd.Context(), m, name)))
		})
	}
	wg.Wait()
	return a.reportAll(cmd.Name(), errs)
}

// pass drops the error of a guest that --all reached in a state that the verb has nothing
// to do in, unless that is an error of the verb. One that is protected is passed over by
// every verb, but not without a word.
func (s *selection) pass(a *app, err error) error {
	protected := errors.Is(err, guest.ErrProtected)
	if !s.all || !errors.Is(err, guest.ErrState) || s.strict && !protected {
		return err
	}
	if protected && !a.quiet {
		line, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(a.err, "sysct: warning: %s: passed over\n", escape(line))
	}
	return nil
}

// reportAll prints every error and gives the first one's exit status.
func (a *app) reportAll(verb string, errs []error) error {
	var first error
	for _, err := range errs {
		if err == nil {
			continue
		}
		a.report(verb, err)
		if first == nil {
			first = &statusError{status: statusOf(err), err: errReported}
		}
	}
	return first
}

// oneGuest is the argument rule of a verb with exactly one guest.
func oneGuest(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usage(errors.New("missing guest name"))
	case 1:
		return nil
	}
	return tooMany(args[1])
}

// noArgs is the argument rule of a verb without any.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return tooMany(args[0])
	}
	return nil
}
