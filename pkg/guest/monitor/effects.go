package monitor

import (
	"fmt"
	"reflect"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// doAll carries out what follows from one event. run.json, which others read, is
// written when somebody is answered, or else last, and not for a state that passes at
// once: a start or a freeze needn't wait for it.
func (m *monitor) doAll(actions []Action) {
	for _, a := range actions {
		switch a.(type) {
		case Reply, Tell, LetGo, Exit:
			m.publish()
		}
		m.do(a)
	}
	if m.stale && m.jobs > 0 {
		runtime.Gosched() // to the job: on one processor it would wait for the file
	}
	m.publishSoon()
}

// passing is how long a state may last that others needn't see.
const passing = 20 * time.Millisecond

// publishSoon gives a state that something is under way in its time to pass.
func (m *monitor) publishSoon() {
	if !m.stale || m.jobs == 0 {
		m.publish()
		return
	}
	if m.publishAt == 0 {
		m.publishAt = now().Mono + passing
	}
}

// do carries an action out. What takes time becomes a job.
func (m *monitor) do(a Action) {
	switch a := a.(type) {
	case Save:
		m.save()
	case Say:
		m.log.say(a.Text)
	case Note:
		m.note(a.Event)
	case Inform:
		m.awaitNotes()
		m.notifyManager(a.Pairs...)
	case Record:
		m.record(a)
	case Forget:
		m.forget()
	case Reply:
		m.reply(a)
	case Tell:
		m.tell(a)
	case Recover:
		m.job(m.recoverJob(a.Timeout))
	case Launch:
		m.job(m.launchJob())
	case Proceed:
		m.proceed <- a.Err
		m.proceed = nil
	case GiveUp:
		m.hooks.giveUp()
	case Cleanup:
		m.cleanup()
	case Finish:
		m.finish()
	case LetGo:
		m.letGo()
	case Mark:
		m.mark()
	case Unmark:
		m.unmark()
	case GiveWay:
		if m.giveWay != nil {
			m.giveWay()
		}
	case Destroy:
		m.job(m.destroyJob(a.Patience))
	case Halt:
		m.job(m.haltJob())
	case KillAll:
		m.killAll()
	case FreeInit:
		m.job(m.freeJob())
	case Signal:
		m.signal(a.Sig)
	case Freeze:
		m.freeze(a.Timeout)
	case Thaw:
		m.thaw(a.Timeout)
	case Show:
		m.showPlan(a.Client)
	case Apply:
		m.apply(a)
	case Allow:
		m.carryOut(a.Call)
	case CheckReady:
		m.job(m.checkReadyJob())
	case Exit:
		m.exit()
	}
}

// save keeps the core's state for a successor.
func (m *monitor) save() {
	if err := m.slots.save(&m.core.Life); err != nil {
		m.log.say(err.Error())
	}
	m.stale = true
}

// publish tells the core's state to those who ask when no monitor answers.
func (m *monitor) publish() {
	if !m.stale {
		return
	}
	m.stale, m.publishAt = false, 0
	if m.gone {
		return
	}
	run := m.core.Run()
	if m.lastRun != nil && reflect.DeepEqual(*m.lastRun, run) {
		return
	}
	m.lastRun = &run
	if err := state.WriteRun(m.dir, &run); err != nil {
		m.log.say(err.Error())
	}
}

func (m *monitor) reply(a Reply) {
	p := m.peers[a.Client]
	if p == nil {
		return
	}
	if a.Enter {
		a.Resp.Listening, a.Resp.Crowded = m.listening()
	}
	if !a.Pidfd || m.pidfd < 0 {
		m.answer(p, a.Resp)
		return
	}
	fds := []int{m.pidfd}
	if a.Enter {
		a.Resp.Resources = m.resources()
	}
	if a.Enter && m.group != nil {
		// Without the groups the client looks for them itself, and can say what is wrong.
		if leaf, err := m.group.Leaf(); err == nil {
			defer unix.Close(leaf)
			fds = append(append(fds, leaf), m.group.JoinFDs()...)
		}
	}
	m.answer(p, a.Resp, fds...)
}

// resources are what a program that enters the guest has; nil is what the caller has.
func (m *monitor) resources() *control.Resources {
	c := &m.plan.Context
	if len(c.Rlimits) == 0 && c.OOMScoreAdj == 0 {
		return nil
	}
	r := &control.Resources{OOMScoreAdj: c.OOMScoreAdj}
	for _, limit := range c.Rlimits {
		r.Rlimits = append(r.Rlimits, control.Rlimit{Resource: limit.Resource, Soft: limit.Soft, Hard: limit.Hard})
	}
	return r
}

// reportLines is how much of the console a failed start shows.
const reportLines = 10

// tell sends the report, once, and tells the service manager.
func (m *monitor) tell(a Tell) {
	if a.Err == nil {
		m.notifyManager("STATUS", fmt.Sprintf("init is process %d", a.Pid))
	}
	if m.report < 0 {
		return
	}
	r := Report{OK: a.Err == nil, Pid: a.Pid, Warnings: m.warned}
	if a.Err != nil {
		r.Error = newFailure(a.Err)
		r.Error.Console = m.consoleTail(reportLines)
	}
	m.awaitNotes()
	r.send(m.report)
	m.report, m.warned = -1, nil
}

// killAll may come while the group is in a job's hands: it is opened anew then.
func (m *monitor) killAll() {
	group := m.group
	if group == nil {
		var err error
		if group, err = m.openGroup(); err != nil {
			m.log.say(err.Error())
		}
		if group == nil {
			return
		}
		defer group.Close()
	}
	if err := group.Kill(); err != nil {
		m.log.say(err.Error())
	}
}

// signal goes by pidfd: the pid may be another process's by now.
func (m *monitor) signal(sig unix.Signal) {
	if m.pidfd < 0 {
		return
	}
	if err := unix.PidfdSendSignal(m.pidfd, sig, nil, 0); err != nil {
		m.log.say(fmt.Sprintf("cannot send signal %d to init: %v", sig, err))
	}
}

func (m *monitor) freeze(timeout time.Duration) {
	g := m.group
	m.job(func() func() {
		err := g.Freeze(timeout)
		return func() { m.emit(FreezeDone{err}) }
	})
}

func (m *monitor) thaw(timeout time.Duration) {
	g := m.group
	m.job(func() func() {
		err := g.Thaw(timeout)
		return func() { m.emit(ThawDone{err}) }
	})
}

// exit lets the loop end. Those who wait in the socket's queue are told that
// nobody listens by its end.
func (m *monitor) exit() {
	m.lastNotes()
	for id := range m.peers {
		m.hangUp(id)
	}
	unix.Close(m.listen)
	m.drop(fdShared) // what is there when the unit is started again is a life's that goes on
	m.drop(fdPlan)
	m.lock.Release()
	m.ended = true
}

// warn is for the user who starts the guest, and for the log.
func (m *monitor) warn(text string) {
	m.log.say("warning: " + text)
	if m.report >= 0 {
		m.warned = append(m.warned, text)
	}
}
