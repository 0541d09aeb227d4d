package guest

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/state"
)

// Why is what is known of a guest's last boot that went wrong, if one did.
type Why struct {
	Name    string      `json:"name"`
	State   state.State `json:"state"`
	Verdict Verdict     `json:"verdict"`
	Since   *time.Time  `json:"since"` // when what Verdict says began; nil: unknown
	// Blocked is why the next start would fail before anything is made; "": nothing
	// is known to be in its way.
	Blocked string `json:"blocked"`
	// Boot is the record of the boot that went wrong; nil: none did since one went well.
	Boot *state.Boot `json:"boot"`
	// Exit is how the last life ended, if the guest isn't running.
	Exit *ExitInfo `json:"exit"`
	// Units are those that failed in a running guest with systemd.
	Units []FailedUnit `json:"units"`
	// System is what systemd says of the running guest: running, degraded,
	// starting, …; "" without systemd or without an answer.
	System string `json:"system"`
	// OOMKills are the running guest's processes that were killed for lack of memory.
	OOMKills int64 `json:"oom_kills"`
	// PidsReached is the running guest's limit of processes, if it has had so many; 0: it
	// hasn't.
	PidsReached int64 `json:"pids_reached"`
	// Log are the monitor's lines about Boot.
	Log []string `json:"log"`
	// Deaths are the monitor's lines about monitors of this life that died before it.
	Deaths []string `json:"monitor_deaths"`
	// Advice is what to do next, a line each.
	Advice []string `json:"advice"`
}

// Verdict is the short answer of Why.
type Verdict string

// The verdicts.
const (
	VerdictFine     Verdict = "fine"     // it is up, or ended as it should
	VerdictNever    Verdict = "never"    // it wasn't started since the host's boot
	VerdictBlocked  Verdict = "blocked"  // it can't be started
	VerdictFailed   Verdict = "failed"   // its init could not be executed
	VerdictEnded    Verdict = "ended"    // its init ended by itself, or was killed
	VerdictDegraded Verdict = "degraded" // it runs, but units have failed or memory ran out
	VerdictStarting Verdict = "starting" // it runs and isn't ready yet
	VerdictKilled   Verdict = "killed"   // sysct killed it
	VerdictUnknown  Verdict = "unknown"  // nobody saw how it ended
)

// Why tells what went wrong with a guest's last boot. A running guest with systemd
// is asked for its failed units, some seconds at most. ErrNoGuest if there is none.
func (m *Manager) Why(ctx context.Context, name string) (*Why, error) {
	info, err := m.Info(ctx, name)
	if err != nil {
		return nil, err
	}
	w := &Why{Name: name, State: info.State, Exit: info.Exit}
	if _, err := m.monitorPlan(name); err != nil {
		w.Blocked = blockedText(err)
	}
	if w.Boot, err = m.readBoot(name); err != nil {
		m.opt.Warn(oneLine(err))
	}
	if info.Use().OOMKills != nil {
		w.OOMKills = *info.Use().OOMKills
	}
	if use := info.Use(); use.PidsReached() {
		w.PidsReached = *use.PidsMax
	}
	if info.State == state.Running {
		w.System, w.Units = m.askSystemd(ctx, name)
	}
	w.judge(info)
	if w.shows() {
		w.Log = m.bootLog(name, w.Boot)
	}
	if info.StartedAt != nil {
		w.Deaths = m.deaths(name, *info.StartedAt)
	}
	w.Advice = w.advice(m)
	return w, nil
}

// blockedText is why a start would fail; what to do about a protection is advice.
func blockedText(err error) string {
	if errors.Is(err, ErrProtected) {
		return oneLine(err)
	}
	return err.Error()
}

// readBoot reads the record of the last boot that went wrong; nil: there is none.
func (m *Manager) readBoot(name string) (*state.Boot, error) {
	dir, err := unix.Open(m.dirs.Log, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	b, err := state.ReadBoot(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// noteFailure notes a start that failed before its monitor could note it.
func (m *Manager) noteFailure(plan *monitor.Plan, f *monitor.Failure, began time.Time) {
	if b, err := m.readBoot(plan.Name); err == nil && b != nil && !b.EndedAt.Before(began) {
		return
	}
	dir, err := unix.Open(m.dirs.Log, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(dir)
		err = state.WriteBoot(dir, plan.Name, &state.Boot{BootID: plan.BootID, Number: 1, BeganAt: began, EndedAt: time.Now(),
			Failure: &state.Failure{Step: f.Step, Call: f.Call, Path: f.Path, Errno: f.Errno, Message: f.Message}})
	}
	if err != nil {
		m.opt.Warn("cannot note why it failed: " + oneLine(err))
	}
}

// shows says whether the record explains the verdict.
func (w *Why) shows() bool { return w.Boot != nil && w.Verdict != VerdictFine }

// judge finds the verdict.
func (w *Why) judge(info *Info) {
	switch {
	case info.State == state.Stopped, info.Pid == nil && w.Boot != nil:
		w.judgeStopped() // or about to be, or to be started again
	case len(w.Units) > 0 || w.System == "degraded" || w.OOMKills+w.PidsReached > 0:
		w.Verdict, w.Since = VerdictDegraded, info.StartedAt
	case w.System == "running", w.System == "" && info.Ready != nil && *info.Ready:
		w.Verdict, w.Since = VerdictFine, info.StartedAt
	default:
		w.Verdict, w.Since = VerdictStarting, info.StartedAt
	}
}

func (w *Why) judgeStopped() {
	switch {
	case w.Boot != nil && w.Boot.Failure != nil:
		w.Verdict, w.Since = VerdictFailed, &w.Boot.EndedAt
	case w.Boot != nil:
		w.Verdict, w.Since = VerdictEnded, &w.Boot.EndedAt
	case w.Blocked != "":
		w.Verdict = VerdictBlocked
	case w.Exit == nil:
		w.Verdict = VerdictNever
	default:
		w.Since = w.Exit.At
		w.Verdict = verdictOf(w.Exit.Reason)
	}
}

// verdictOf is for an end of which no record was made.
func verdictOf(reason string) Verdict {
	switch reason {
	case state.ReasonKilled:
		return VerdictKilled
	case state.ReasonUnknown:
		return VerdictUnknown
	case state.ReasonFailed:
		return VerdictFailed
	case state.ReasonOOM, state.ReasonSignal, state.ReasonExited:
		return VerdictEnded
	}
	return VerdictFine
}
