package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Kind says what happened.
type Kind string

// The kinds. Who adds one adds it to Kinds and to docs/events.md.
const (
	Create  Kind = "create"  // From: the template
	Clone   Kind = "clone"   // From: the guest that was cloned
	Rename  Kind = "rename"  // From: the name before
	Destroy Kind = "destroy" //
	Start   Kind = "start"   // init was executed; Boot, Pid
	Fail    Kind = "fail"    // it could not be started; Message
	Ready   Kind = "ready"   //
	Reboot  Kind = "reboot"  // the guest asked for it; start follows
	Restart Kind = "restart" // it failed and is started again; Reason, Code, Signal, Seconds
	Stop    Kind = "stop"    // it has stopped for good; Reason, Code, Signal
	Freeze  Kind = "freeze"  // Message: for what, if not for a user
	Thaw    Kind = "thaw"    //
	OOM     Kind = "oom"     // processes were killed for lack of memory; Count, Limit
	Pids    Kind = "pids"    // forks were refused; Count, Limit
	Adopt   Kind = "adopt"   // its monitor died, another one took over; Message: of what
	Change  Kind = "change"  // limits were changed while it ran; Keys, Values
	Upgrade Kind = "upgrade" // its monitor executed another program; Version
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{Create, Clone, Rename, Destroy, Start, Fail, Ready, Reboot, Restart, Stop,
		Freeze, Thaw, OOM, Pids, Adopt, Change, Upgrade}
}

// Event is one thing that happened to one guest. What doesn't apply to its kind is empty.
type Event struct {
	Seq    uint64    `json:"seq"` // its number in the instance's log, from 1
	Time   time.Time `json:"time"`
	BootID string    `json:"boot_id"` // of the host
	Mono   int64     `json:"mono_us"` // CLOCK_MONOTONIC in µs, which orders events of one boot id
	Guest  string    `json:"guest"`
	Kind   Kind      `json:"event"`

	Boot    int      `json:"boot,omitempty"` // of the guest, from 1 in each of its lives
	Pid     int      `json:"pid,omitempty"`  // init's on the host
	From    string   `json:"from,omitempty"`
	Reason  string   `json:"reason,omitempty"` // one of package state's
	Code    *int     `json:"code,omitempty"`   // init's exit status
	Signal  string   `json:"signal,omitempty"` // that killed init
	Seconds *float64 `json:"seconds,omitempty"`
	Count   int64    `json:"count,omitempty"`
	Limit   *int64   `json:"limit,omitempty"` // bytes or processes
	Keys    []string `json:"keys,omitempty"`
	Values  []Value  `json:"values,omitempty"` // of keys; missing for some of them, or all, if unknown or too many
	Version string   `json:"version,omitempty"`
	Message string   `json:"message,omitempty"`

	// Lost is how many events before this one the same process couldn't write.
	Lost int64 `json:"lost,omitempty"`
}

// Value is what a key of the configuration was and is, as get prints it; empty: it isn't set.
type Value struct {
	Key  string `json:"key"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// About says whether e is of a guest of one of the names, now or before a rename; no
// name stands for all guests.
func (e *Event) About(names []string) bool {
	return len(names) == 0 || slices.Contains(names, e.Guest) || e.Kind == Rename && slices.Contains(names, e.From)
}

// check refuses what no writer has written.
func (e *Event) check() error {
	switch {
	case e.Guest == "":
		return errors.New("guest: missing")
	case !slices.Contains(Kinds(), e.Kind):
		return fmt.Errorf("event: unknown kind %.40q", string(e.Kind))
	case e.Time.IsZero() || e.Time.Year() < 1 || e.Time.Year() > 9999:
		return errors.New("time: not a time")
	}
	return nil
}

// Bounds of what goes into one line, in bytes.
const (
	maxText   = 400
	maxWord   = 100
	maxKeys   = 20
	maxValues = 6
)

// bounded is e with what may be long cut, and without what isn't printable: messages may
// quote what a guest has said.
func (e Event) bounded() Event {
	for _, s := range []*string{&e.Guest, &e.BootID, &e.From, &e.Reason, &e.Signal, &e.Version} {
		*s = plain(*s, maxWord)
	}
	e.Message = plain(e.Message, maxText)
	keys := e.Keys[:min(len(e.Keys), maxKeys)]
	e.Keys = nil
	for _, key := range keys {
		e.Keys = append(e.Keys, plain(key, maxWord))
	}
	values := e.Values[:min(len(e.Values), maxValues)]
	e.Values = nil
	for _, v := range values {
		e.Values = append(e.Values, Value{plain(v.Key, maxWord), plain(v.From, maxWord), plain(v.To, maxWord)})
	}
	e.Time = e.Time.UTC().Round(0)
	return e
}

func plain(s string, most int) string {
	s = s[:min(len(s), most)]
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
