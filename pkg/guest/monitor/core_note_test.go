package monitor

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// noted writes the events of some steps down.
func noted(c *Core, story []row) string {
	var all []string
	for _, r := range story {
		for _, a := range c.Step(at(r.at), r.ev) {
			n, ok := a.(Note)
			if !ok {
				continue
			}
			e := n.Event
			words := []string{string(e.Kind), e.Reason, e.Message}
			if e.Count > 0 {
				words = append(words, fmt.Sprint(e.Count))
			}
			if e.Seconds != nil {
				words = append(words, fmt.Sprintf("in %g s", *e.Seconds))
			}
			if e.Mono != at(r.at).Mono.Microseconds() {
				words = append(words, "at another time")
			}
			all = append(all, strings.Join(strings.Fields(strings.Join(words, " ")), " "))
		}
	}
	return strings.Join(all, ", ")
}

func counts(kills, refused int64) Counted {
	return Counted{limits.Counts{OOMKills: kills, Refused: refused}}
}

// TestEvents: what is told of a life.
func TestEvents(t *testing.T) {
	restarts := policy
	restarts.OnFailure = true
	oom := signalled(unix.SIGKILL)
	oom.OOMKills = 3
	cleaned := []row{{3 * sec, Cleaned{}, "", ""}, {3 * sec, Finished{}, "", ""}}
	for name, when := range map[string]struct {
		policy Policy
		story  []row
		want   string
	}{
		"a clean life": {policy, append(append(boot(), row{sec, Told{Ready: true}, "", ""}, row{sec, Told{Ready: true}, "", ""},
			row{2 * sec, signalled(unix.SIGINT), "", ""}), cleaned...), "start, ready, stop poweroff"},
		"an end of what nobody kept": {policy, []row{{0, Begin{Occupied: true}, "", ""}, {sec, Recovered{}, "", ""}}, "stop unknown"},
		"what nobody kept goes on":   {policy, []row{{0, Begin{Occupied: true}, "", ""}, {sec, Recovered{errors.New("it doesn't die")}, "", ""}}, "fail it doesn't die"},
		"a start that fails": {policy, append([]row{{0, Begin{}, "", ""}, {0, Launched{errors.New("no root")}, "", ""}}, cleaned...),
			"fail no root"},
		"a start that is stopped": {policy, append([]row{{0, Begin{}, "", ""}, {0, ask(1, control.OpStop, -1), "", ""},
			{0, Stored{Pid: 77}, "", ""}, {0, Launched{errStopped}, "", ""}}, cleaned...), "stop killed"},
		"a reboot": {policy, append(boot(), row{sec, signalled(unix.SIGHUP), "", ""}, row{sec, Cleaned{}, "", ""},
			row{sec, Stored{Pid: 78}, "", ""}, row{sec, Launched{}, "", ""}), "start, reboot, start"},
		"a failure": {restarts, append(boot(), row{2 * sec, exited(3), "", ""}), "start, restart exited in 1 s"},
		"kills, some of init's end": {policy, append(append(boot(), row{sec, counts(1, 0), "", ""}, row{sec, counts(1, 7), "", ""},
			row{sec, counts(1, 7), "", ""}, row{2 * sec, oom, "", ""}), cleaned...), "start, oom 1, pids 7, oom 2, stop oom"},
		"a freeze": {policy, append(boot(), row{sec, ask(1, control.OpFreeze, -1), "", ""}, row{sec, FreezeDone{}, "", ""},
			row{sec, ask(1, control.OpThaw, -1), "", ""}, row{sec, ThawDone{}, "", ""}), "start, freeze, thaw"},
		"a freeze that fails": {policy, append(boot(), row{sec, ask(1, control.OpFreeze, -1), "", ""},
			row{sec, FreezeDone{limits.ErrTimeout}, "", ""}), "start"},
	} {
		if got := noted(NewCore(when.policy, nil), when.story); got != when.want {
			t.Errorf("%s: %q, want %q", name, got, when.want)
		}
	}
}

// TestEventsOfSuccessors: what a monitor before has told isn't told again.
func TestEventsOfSuccessors(t *testing.T) {
	up := Life{Phase: PhaseUp, State: state.Running, Pid: 77, Boots: 1, Ready: true, Noted: limits.Counts{OOMKills: 2, Refused: 5}}
	finished := Life{Phase: PhaseFinished, State: state.Stopping, Boots: 1, Exit: &state.Exit{Reason: state.ReasonPoweroff}}
	for name, when := range map[string]struct {
		life  Life
		story []row
		want  string
	}{
		"a death": {up, []row{{0, Adopt{Facts{Alive: true, Booted: true, Death: "killed by SIGKILL"}}, "", ""},
			{0, counts(2, 5), "", ""}, {0, counts(3, 5), "", ""}}, "adopt killed by SIGKILL, oom 1"},
		"an upgrade":            {up, []row{{0, Adopt{Facts{Alive: true, Booted: true, Renewed: true, Upgraded: true}}, "", ""}}, "upgrade"},
		"a renewal":             {up, []row{{0, Adopt{Facts{Alive: true, Booted: true, Renewed: true}}, "", ""}}, ""},
		"a death after the end": {finished, []row{{0, Adopt{Facts{Death: "exited"}}, "", ""}}, "adopt exited"},
	} {
		life := when.life
		if got := noted(NewCore(policy, &life), when.story); got != when.want {
			t.Errorf("%s: %q, want %q", name, got, when.want)
		}
	}
}
