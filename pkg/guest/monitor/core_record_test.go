package monitor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// notes gives what the last event of a story has the monitor note of the boot.
func notes(t *testing.T, story ...row) string {
	t.Helper()
	last := len(story) - 1
	c := NewCore(policy, nil)
	for _, r := range story[:last] {
		c.Step(at(r.at), r.ev)
	}
	var said []string
	for _, a := range c.Step(at(story[last].at), story[last].ev) {
		switch a := a.(type) {
		case Record:
			said = append(said, fmt.Sprintf("Record err=%v ready=%v oom=%d", a.Err, a.Ready, a.OOMKills))
		case Forget:
			said = append(said, "Forget")
		case Cleanup, Tell:
			said = append(said, strings.TrimPrefix(fmt.Sprintf("%T", a), "monitor."))
		}
	}
	return strings.Join(said, ", ")
}

func TestWhatIsNotedOfABoot(t *testing.T) {
	up := boot()
	ready := slices.Concat(up, []row{{at: sec, ev: Told{Ready: true}}})
	stopped := slices.Concat(up, []row{{at: sec, ev: ask(1, control.OpStop, -1)}})
	oom := InitEnded{Known: true, Status: unix.WaitStatus(unix.SIGKILL), OOMKills: 2}
	for name, c := range map[string]struct {
		story []row
		last  Event
		want  string
	}{
		"it can't be launched": {up[:1], Launched{errors.New("boom")}, "Record err=boom ready=false oom=0, Tell, Cleanup"},
		"it is launched":       {up[:2], Launched{}, "Tell"},
		"it is ready":          {up, Told{Ready: true}, "Forget"},
		"it is ready again":    {ready, Told{Ready: true}, ""},
		// After Cleanup, which takes the last output of the console.
		"init exits":              {up, exited(3), "Cleanup, Record err=<nil> ready=false oom=0"},
		"init exits with 0":       {up, exited(0), "Cleanup, Record err=<nil> ready=false oom=0"},
		"init crashes later":      {ready, signalled(unix.SIGSEGV), "Cleanup, Record err=<nil> ready=true oom=0"},
		"memory runs out":         {up, oom, "Cleanup, Record err=<nil> ready=false oom=2"},
		"it powers off":           {up, signalled(unix.SIGINT), "Cleanup, Forget"},
		"it reboots":              {up, signalled(unix.SIGHUP), "Cleanup, Forget"},
		"nobody saw its end":      {up, InitEnded{}, "Cleanup"},
		"it fails in a stop":      {stopped, exited(3), "Cleanup"},
		"it ends by a stop":       {stopped, signalled(unix.SIGINT), "Cleanup, Forget"},
		"its start is broken off": {append(up[:1:1], row{at: sec, ev: ask(1, control.OpStop, -1)}), Launched{errors.New("boom")}, "Tell, Cleanup"},
	} {
		if got := notes(t, append(slices.Clone(c.story), row{at: 2 * sec, ev: c.last})...); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
