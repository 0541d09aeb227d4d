package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// durationFlag is a flag of the configuration's kind of duration: "60s", "2m", or
// a bare number of seconds. Negative ones are refused.
type durationFlag struct {
	value *time.Duration
}

func (d *durationFlag) String() string {
	if d.value == nil {
		return ""
	}
	return d.value.String()
}

func (d *durationFlag) Set(text string) error {
	v, err := spec.ParseDuration(text)
	if err != nil {
		return err
	}
	t := time.Duration(v)
	d.value = &t
	return nil
}

func (d *durationFlag) Type() string { return "duration" }

// or is the flag's value, or def if it was not given.
func (d *durationFlag) or(def time.Duration) time.Duration {
	if d.value == nil {
		return def
	}
	return *d.value
}

func missing(what string) error { return usage(errors.New("missing " + what)) }

func invalid(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }
