package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// golden compares a text with testdata/golden/NAME.txt.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	want, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestWhyPages(t *testing.T) {
	now := time.Date(2025, 1, 2, 15, 0, 0, 0, time.Local)
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	code := 7
	boot := func(b state.Boot) *state.Boot {
		b.BeganAt, b.EndedAt = *ago(2 * time.Minute), ago(2*time.Minute).Add(1500*time.Millisecond)
		return &b
	}
	for name, w := range map[string]guest.Why{
		"why-fine":   {Name: "web", State: state.Running, Verdict: guest.VerdictFine, Since: ago(26 * time.Hour)},
		"why-deaths": {Name: "web", State: state.Running, Verdict: guest.VerdictFine, Since: ago(time.Hour), Deaths: []string{"2025-01-02T14:58:00.000Z the monitor before this one died, by the signal SIGKILL"}},
		"why-ended":  {Name: "web", State: state.Stopped, Verdict: guest.VerdictFine, Since: ago(time.Hour), Exit: &guest.ExitInfo{Reason: "poweroff"}},
		"why-never":  {Name: "web", State: state.Stopped, Verdict: guest.VerdictNever},
		"why-failed": {Name: "web", State: state.Stopped, Verdict: guest.VerdictFailed, Since: ago(2 * time.Minute),
			Boot: boot(state.Boot{Number: 1, Failure: &state.Failure{Step: "exec init", Call: "execve", Path: "/sbin/init", Errno: 2,
				Message: "no such file or directory"}, Console: []string{"a line", "an evil \x1b[2J one"}}),
			Log: []string{"2025-01-02T14:58:00.000Z cannot start"}, Advice: []string{"do this: rm x"}},
		"why-oom": {Name: "web", State: state.Stopped, Verdict: guest.VerdictEnded, Since: ago(2 * time.Minute), Blocked: "config.toml:1:1: odd\nhint: mend it",
			Boot: boot(state.Boot{Number: 3, Ready: true, OOMKills: 2, Status: "Running", Exit: &state.Exit{Signal: "SIGKILL", Reason: state.ReasonOOM}})},
		"why-exited-before": {Name: "web", State: state.Running, Verdict: guest.VerdictStarting, Since: ago(time.Second), System: "starting",
			Boot: boot(state.Boot{Number: 1, Exit: &state.Exit{Code: &code, Reason: state.ReasonExited}})},
		"why-degraded": {Name: "web", State: state.Running, Verdict: guest.VerdictDegraded, Since: ago(time.Minute), System: "degraded", OOMKills: 1, PidsReached: 20,
			Units: []guest.FailedUnit{{Name: "bad.service", Description: "A bad one", Result: "exit-code", Status: "3", Log: []string{"it broke"}}}},
		"why-killed": {Name: "web", State: state.Stopped, Verdict: guest.VerdictKilled, Since: ago(3 * time.Second), Advice: []string{"look"}},
	} {
		golden(t, name, whyText(&w, now))
	}
}

func TestDoctorPages(t *testing.T) {
	findings := []doctor.Finding{
		{Check: "namespaces", Severity: doctor.OK, Found: "user mount pid"},
		{Check: "inotify", Severity: doctor.Warning, Found: "128 of 128", Why: "they run out", Mend: "sysctl -w x=1"},
		{Check: "FUSE", Severity: doctor.Note, Found: "none", Why: "nothing needs it"},
		{Guest: "web", Check: "guest", Severity: doctor.OK, Found: "stopped"},
		{Guest: "db", Check: "system", Severity: doctor.Problem, Found: "an evil \x1b[2J one", Why: "why", Mend: "mend it"},
	}
	golden(t, "doctor", doctorText(findings, false))
	golden(t, "doctor-quiet", doctorText(findings, true))
	golden(t, "doctor-fine", doctorText(findings[:1], false))
}
