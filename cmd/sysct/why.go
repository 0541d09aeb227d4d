package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

const whyLong = `Explain the last boot of a guest that failed, ended by itself or came up degraded:
the step that failed with its system call and path, how init ended, failed units,
processes killed for lack of memory, the last lines of the console and of the
monitor's log, and what to do next. If nothing is wrong it says so in one line.

What is known of a boot that went wrong is kept until a later one becomes ready or
ends well.`

func newWhy(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "why NAME", Short: "Explain the last boot that went wrong", Long: whyLong,
		Args: oneGuest, ValidArgsFunction: a.guests(1),
		Example: "  sysct why web\n  sysct why web --json | jq .boot",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manager()
			if err != nil {
				return err
			}
			w, err := m.Why(cmd.Context(), args[0])
			if err != nil {
				return about(args[0], err)
			}
			if asJSON {
				return a.printJSON(w)
			}
			return a.printf("%s", whyText(w, time.Now()))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}

// hintWhy is for a guest that was started and isn't ready: it ended, or takes long.
func hintWhy(name string, err error) error {
	if errors.Is(err, guest.ErrState) || errors.Is(err, guest.ErrTimeout) {
		return fmt.Errorf("%w\nhint: sysct why %s", err, name)
	}
	return err
}

// page collects the parts of a page; every text in it may be a guest's.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) {
	p.WriteString(escape(fmt.Sprintf(format, args...)) + "\n")
}

// part writes a heading with its lines, or nothing if there are none.
func (p *page) part(heading, mark string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.line("")
	p.line("%s", heading)
	for _, l := range lines {
		p.line("  %s%s", mark, l)
	}
}

// whyText is the page for people.
func whyText(w *guest.Why, now time.Time) string {
	p := &page{}
	p.line("%s: %s", w.Name, verdictText(w, now))
	if w.Blocked != "" {
		p.part("the next start would fail", "", strings.Split(w.Blocked, "\n"))
	}
	if w.Boot != nil && w.Verdict != guest.VerdictFine {
		bootParts(p, w.Boot, w.Verdict, now)
	}
	p.part("failed units", "", unitLines(w.Units))
	if w.OOMKills > 0 {
		p.part("memory", "", []string{killsText(w.OOMKills)})
	}
	if w.PidsReached > 0 {
		p.part("processes", "", []string{fmt.Sprintf("it has had all the %d that its limit allows: any more were refused", w.PidsReached)})
	}
	if w.Boot != nil && w.Verdict != guest.VerdictFine {
		p.part("the console's last lines", "| ", w.Boot.Console)
		p.part("the monitor's log", "", w.Log)
	}
	p.part("monitors that died (the guest goes on)", "", w.Deaths)
	p.part("what to do", "- ", w.Advice)
	return p.String()
}

// verdictText is the first line, without the guest's name.
func verdictText(w *guest.Why, now time.Time) string {
	since := timeText(w.Since, now)
	switch w.Verdict {
	case guest.VerdictNever:
		return "nothing is known to be wrong; it wasn't started since this host booted"
	case guest.VerdictBlocked:
		return "it can't be started"
	case guest.VerdictFailed:
		return "its start failed" + since
	case guest.VerdictEnded:
		return "its init ended" + since
	case guest.VerdictDegraded:
		return "it runs degraded, started" + since
	case guest.VerdictStarting:
		if w.System != "" {
			return "it runs and isn't ready yet (" + w.System + "), started" + since
		}
		return "it runs and hasn't said that it is ready, started" + since
	case guest.VerdictKilled:
		return "it was killed by stop -k, kill, or at the end of a stop's time" + since
	case guest.VerdictUnknown:
		return "it ended and nobody saw how" + since
	}
	if w.State == state.Stopped && w.Exit != nil {
		return "its last boot was fine; it ended by " + w.Exit.Reason + since
	}
	return "its last boot was fine; it is up since" + since
}

// timeText is a moment with how long ago it was.
func timeText(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return fmt.Sprintf(" %s (%s ago)", t.Local().Format(time.DateTime), ageText(now.Sub(*t)))
}

// ageText is a duration in its largest unit.
func ageText(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / u.unit); n == 1 {
			return "1 " + u.name
		} else if n > 1 {
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return "a moment"
}

// bootParts say what the record knows.
func bootParts(p *page, b *state.Boot, v guest.Verdict, now time.Time) {
	heading := "what failed"
	if v != guest.VerdictFailed && v != guest.VerdictEnded {
		heading = "the boot before, that ended" + timeText(&b.EndedAt, now)
	}
	p.part(heading, "", append(failureLines(b.Failure), endLines(b)...))
}

func failureLines(f *state.Failure) []string {
	if f == nil {
		return nil
	}
	lines := []string{"step     " + f.Step}
	if f.Call != "" {
		lines = append(lines, "call     "+strings.TrimSpace(f.Call+" "+f.Path))
	}
	for i, text := range strings.Split(f.Message, "\n") {
		label := "         "
		if i == 0 {
			label = "error    "
		}
		lines = append(lines, label+text)
	}
	if name := unix.ErrnoName(unix.Errno(f.Errno)); name != "" {
		lines = append(lines, fmt.Sprintf("errno    %d, %s", f.Errno, name))
	}
	return lines
}

func endLines(b *state.Boot) []string {
	var lines []string
	if e := b.Exit; e != nil {
		lines = append(lines, "init     "+endText(e), "after    "+b.EndedAt.Sub(b.BeganAt).Round(time.Millisecond).String()+readyText(b.Ready))
	}
	if b.OOMKills > 0 {
		lines = append(lines, "memory   "+killsText(b.OOMKills))
	}
	if b.Status != "" {
		lines = append(lines, "status   "+b.Status)
	}
	if b.Number > 1 {
		lines = append(lines, fmt.Sprintf("boot     %d of its life", b.Number))
	}
	return lines
}

func killsText(n int64) string {
	if n == 1 {
		return "1 process was killed because the guest's limit was reached"
	}
	return fmt.Sprintf("%d processes were killed because the guest's limit was reached", n)
}

func readyText(ready bool) string {
	if ready {
		return "; it had been ready"
	}
	return "; it was not ready yet"
}

func endText(e *state.Exit) string {
	switch {
	case e.Reason == state.ReasonOOM:
		return "was killed for lack of memory"
	case e.Signal != "":
		return "was ended by the signal " + e.Signal
	case e.Code != nil:
		return fmt.Sprintf("exited with status %d", *e.Code)
	}
	return e.Reason
}

func unitLines(units []guest.FailedUnit) []string {
	var lines []string
	for _, u := range units {
		line := u.Name
		if u.Description != "" && u.Description != u.Name {
			line += " (" + u.Description + ")"
		}
		line += ": " + u.Result
		if u.Status != "" && u.Status != "0" {
			line += ", status " + u.Status
		}
		lines = append(lines, line)
		for _, l := range u.Log {
			lines = append(lines, "  | "+l)
		}
	}
	return lines
}
