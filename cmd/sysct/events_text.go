package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// eventText is an event as one line for people, in the time of this place.
func eventText(e *events.Event) string {
	parts := []string{e.Time.Local().Format(time.DateTime), e.Guest, string(e.Kind)}
	if d := eventDetail(e); d != "" {
		parts = append(parts, d)
	}
	text := strings.Join(parts, "  ")
	if e.Lost > 0 {
		text += fmt.Sprintf("  (%s before it could not be written)", counted(e.Lost, "event", "events"))
	}
	return escape(text)
}

func eventDetail(e *events.Event) string {
	switch e.Kind {
	case events.Create:
		return after("from the template ", e.From)
	case events.Clone:
		return after("of ", e.From)
	case events.Rename:
		return after("it was ", e.From)
	case events.Start:
		return startText(e)
	case events.Restart:
		text := endReason(e)
		if e.Seconds != nil {
			text += fmt.Sprintf(", started again in %g s", *e.Seconds)
		}
		return text
	case events.Stop:
		return endReason(e)
	case events.OOM:
		return counted(e.Count, "process", "processes") + " killed" + ofLimit(e.Limit)
	case events.Pids:
		text := counted(e.Count, "fork", "forks") + " refused"
		if e.Limit != nil {
			text += fmt.Sprintf(", limit of %s", counted(*e.Limit, "process", "processes"))
		}
		return text
	case events.Change:
		return changeText(e)
	case events.Adopt:
		return strings.TrimSuffix("its monitor died: "+e.Message, ": ")
	case events.Upgrade:
		return after("to version ", e.Version)
	}
	return e.Message
}

// changeText has keys with their values, where these are known.
func changeText(e *events.Event) string {
	parts := slices.Clone(e.Keys)
	for i, key := range parts {
		if at := slices.IndexFunc(e.Values, func(v events.Value) bool { return v.Key == key }); at >= 0 {
			v := e.Values[at]
			parts[i] += ": " + orNone(v.From) + " -> " + orNone(v.To)
		}
	}
	return strings.Join(parts, ", ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func startText(e *events.Event) string {
	text := fmt.Sprintf("init is process %d", e.Pid)
	if e.Boot > 1 {
		text += fmt.Sprintf(", boot %d", e.Boot)
	}
	return text
}

// endReason says how a guest ended, as ls and info do.
func endReason(e *events.Event) string {
	switch {
	case e.Signal != "" && e.Reason != "oom" && e.Reason != "killed":
		return fmt.Sprintf("%s (%s)", e.Reason, e.Signal)
	case e.Code != nil && *e.Code != 0:
		return fmt.Sprintf("%s (status %d)", e.Reason, *e.Code)
	}
	return e.Reason
}

func ofLimit(limit *int64) string {
	if limit == nil {
		return ""
	}
	return ", " + spec.Bytes(*limit).String() + " limit"
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func after(words, text string) string {
	if text == "" {
		return ""
	}
	return words + text
}

// sinceTime reads --since: a moment, or how long ago that is; "": the zero time.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	d, err := spec.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--since: %q is no time: write one as 2026-01-31T12:00:00Z, '2026-01-31 12:00' or 12:00, or how long ago it was as 10m", text)
	}
	return now.Add(-time.Duration(d)), nil
}
