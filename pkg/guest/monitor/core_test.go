package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// row is one step of a story: what happens when, what is done about it, and
// what the guest is then.
type row struct {
	at    time.Duration
	ev    Event
	does  string
	state state.State
}

// tell runs a story and returns its core.
func tell(t *testing.T, p Policy, life *Life, story []row) *Core {
	t.Helper()
	c := NewCore(p, life)
	for i, r := range story {
		got := does(c.Step(at(r.at), r.ev))
		if got != r.does {
			t.Fatalf("row %d, %T: does %q, want %q", i, r.ev, got, r.does)
		}
		if c.Life.State != r.state {
			t.Fatalf("row %d, %T: is %s, want %s", i, r.ev, c.Life.State, r.state)
		}
	}
	return c
}

func at(d time.Duration) Now {
	// Monotonic clocks don't begin with the guest.
	return Now{Mono: d + time.Hour, Wall: time.Unix(1e9, 0).Add(d)}
}

// does writes actions down, without those that every step has and those that
// only write something down.
func does(actions []Action) string {
	var out []string
	for _, a := range actions {
		switch a := a.(type) {
		case Save, Say, Record, Forget, Note:
		case Proceed:
			out = append(out, orError("Proceed", a.Err))
		case Tell:
			out = append(out, orError("Tell", a.Err))
		case Signal:
			out = append(out, "Signal "+signame.Name(a.Sig))
		case Freeze:
			out = append(out, fmt.Sprint("Freeze ", a.Timeout))
		case Reply:
			out = append(out, reply(a))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", a), "monitor."))
		}
	}
	return strings.Join(out, ", ")
}

func orError(word string, err error) string {
	if err != nil {
		return word + " error"
	}
	return word
}

func reply(r Reply) string {
	s := fmt.Sprintf("Reply %d ok", r.Client)
	if e := r.Resp.Error; e != nil {
		s = fmt.Sprintf("Reply %d %s", r.Client, e.Kind)
	}
	if r.Resp.Note != "" {
		s += " (" + r.Resp.Note + ")"
	}
	return s
}

// ask is a client's request; timeout < 0: none is said.
func ask(client int, op control.Op, timeout time.Duration) Asked {
	req := &control.Request{Op: op}
	if timeout >= 0 {
		req.SetTimeout(timeout)
	}
	return Asked{Client: client, Req: req}
}

func nokill(a Asked) Asked {
	a.Req.NoKill = true
	return a
}

func nowait(a Asked) Asked {
	a.Req.NoWait = true
	return a
}

func killWith(client int, sig unix.Signal) Asked {
	return Asked{Client: client, Req: &control.Request{Op: control.OpKill, Signal: int(sig)}}
}

func waitFor(client int, timeout time.Duration, ready bool, states ...state.State) Asked {
	a := ask(client, control.OpWait, timeout)
	a.Req.Ready, a.Req.States = ready, states
	return a
}

// Ends of init.
func signalled(sig unix.Signal) InitEnded {
	return InitEnded{Known: true, Status: unix.WaitStatus(sig)}
}

func exited(code int) InitEnded {
	return InitEnded{Known: true, Status: unix.WaitStatus(code << 8)}
}

const (
	ms  = time.Millisecond
	sec = time.Second
)

// boot is a story's beginning: a guest that runs from second 0.
func boot() []row {
	return []row{
		{0, Begin{}, "Launch", state.Starting},
		{0, Stored{Pid: 77}, "Proceed", state.Starting},
		{0, Launched{}, "Tell", state.Running},
	}
}

// end is a story's end, once init has gone.
func end(at time.Duration, does string) []row {
	return []row{
		{at, Cleaned{}, "Finish", state.Stopping},
		{at, Finished{}, "LetGo, " + does, state.Stopped},
	}
}

var policy = Policy{StopTimeout: 60 * sec}
