package main

import (
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/events"
)

func TestEventText(t *testing.T) {
	at := time.Date(2026, 11, 23, 0, 41, 7, 5e8, time.Local)
	limit, tasks, code, in := int64(512<<20), int64(400), 3, 2.0
	for want, e := range map[string]events.Event{
		"web  oom  2 processes killed, 512M limit":              {Kind: events.OOM, Count: 2, Limit: &limit},
		"web  oom  1 process killed":                            {Kind: events.OOM, Count: 1},
		"web  pids  1 fork refused, limit of 400 processes":     {Kind: events.Pids, Count: 1, Limit: &tasks},
		"web  stop  poweroff":                                   {Kind: events.Stop, Reason: "poweroff"},
		"web  stop  oom":                                        {Kind: events.Stop, Reason: "oom", Signal: "SIGKILL"},
		"web  stop  signal (SIGSEGV)":                           {Kind: events.Stop, Reason: "signal", Signal: "SIGSEGV"},
		"web  restart  exited (status 3), started again in 2 s": {Kind: events.Restart, Reason: "exited", Code: &code, Seconds: &in},
		"web  start  init is process 77, boot 2":                {Kind: events.Start, Pid: 77, Boot: 2},
		"web  ready":                                            {Kind: events.Ready},
		"web  adopt  its monitor died":                          {Kind: events.Adopt},
		"web  adopt  its monitor died: killed":                  {Kind: events.Adopt, Message: "killed"},
		"web  change  limits.memory, limits.pids":               {Kind: events.Change, Keys: []string{"limits.memory", "limits.pids"}},
		"web  change  limits.memory: 64M -> 1G, limits.pids: none -> 9": {Kind: events.Change, Keys: []string{"limits.memory", "limits.pids"},
			Values: []events.Value{{Key: "limits.memory", From: "64M", To: "1G"}, {Key: "limits.pids", To: "9"}}},
		`web  fail  a\x1b[2J  (3 events before it could not be written)`: {Kind: events.Fail, Message: "a\x1b[2J", Lost: 3},
	} {
		e.Time, e.Guest = at, "web"
		if got := eventText(&e); got != "2026-11-23 00:41:07  "+want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSinceTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 41, 7, 0, time.Local)
	for text, want := range map[string]time.Time{
		"":                     {},
		"10m":                  now.Add(-10 * time.Minute),
		"90":                   now.Add(-90 * time.Second),
		"2026-11-22T10:00:00Z": time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		"2026-11-22 10:00":     time.Date(2026, 11, 22, 10, 0, 0, 0, time.Local),
		"2026-11-22":           time.Date(2026, 11, 22, 0, 0, 0, 0, time.Local),
		"00:10":                time.Date(2026, 11, 23, 0, 10, 0, 0, time.Local),
	} {
		if got, err := sinceTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-10m", "2026-13-01", "25:00"} {
		if got, err := sinceTime(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
