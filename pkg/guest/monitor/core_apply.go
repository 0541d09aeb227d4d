package monitor

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/limits"
)

// askedApply has a change made while the guest is up, or between two of its boots.
func (c *Core) askedApply(client int, change *Change) {
	switch {
	case c.applying:
		c.refuse(client, control.KindBusy, errors.New("another change is under way"))
	case c.Life.Phase == PhaseUp, c.Life.Phase == PhaseWait:
		c.applying = true
		c.do(Apply{client, change})
	case c.Life.Phase == PhaseFinish, c.Life.Phase == PhaseFinished:
		c.refuse(client, control.KindState, errors.New("the guest is "+string(c.Life.State)))
	default:
		c.refuse(client, control.KindBusy, errors.New("the guest is just starting or stopping"))
	}
}

// changeEvent has the values of limits only: no secret is among those.
func changeEvent(values []events.Value) events.Event {
	e := events.Event{Kind: events.Change}
	for _, v := range values {
		e.Keys = append(e.Keys, v.Key)
		if strings.HasPrefix(v.Key, "limits.") {
			e.Values = append(e.Values, v)
		}
	}
	return e
}

func (c *Core) applied(ev Applied) {
	c.applying = false
	var field *limits.FieldError
	switch {
	case ev.Err == nil:
		c.say("the guest's limits were changed")
		c.happened(changeEvent(ev.Values))
		c.replyRun(ev.Client)
	case errors.As(ev.Err, &field):
		c.refuse(ev.Client, control.KindInvalid, ev.Err)
	case errors.Is(ev.Err, fs.ErrNotExist), errors.Is(ev.Err, unix.ENODEV):
		c.refuse(ev.Client, control.KindBusy, errors.New("the guest has just ended"))
	default:
		c.refuse(ev.Client, control.KindFailed, ev.Err)
	}
}
