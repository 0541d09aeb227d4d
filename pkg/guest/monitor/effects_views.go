package monitor

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/views"
	"github.com/sysct/sysct/pkg/views/fuse"
)

// viewBudget is how many requests are answered in a round of the loop.
const viewBudget = 16

// viewServer answers what the guest asks of its views.
type viewServer struct {
	dev    int    // /dev/fuse; -1: there is none
	slot   []byte // where requests are received, mapped
	server *fuse.Server

	rounds    int           // that requests were answered in
	restUntil time.Duration // nobody is heard until then, monotonic; 0: all are

	mending bool          // a new connection is made in a moment
	mended  time.Duration // when that was done last, monotonic; 0: never

	mendFails bool     // it failed then
	placing   *placing // the new one that isn't in its places yet; nil: there is none
	letter    int      // that its file system is stored in; 0: none
}

// serveViews begins to answer. adopted: another monitor has done so before.
func (m *monitor) serveViews(dev int, adopted bool) {
	v := &m.views
	v.dev = dev
	err := m.openViews()
	if err == nil && adopted {
		_, err = v.server.Resume()
	} else {
		clear(v.slot) // what is there was asked over another connection
	}
	if err == nil {
		err = m.hearViews(m.answerViews)
	}
	if err != nil {
		m.viewsFailed(err)
	}
}

func (m *monitor) openViews() (err error) {
	v := &m.views
	if v.slot == nil {
		if v.slot, err = m.slots.view(); err != nil {
			return err
		}
	}
	v.server, err = fuse.New(v.dev, v.slot, m.viewTable(), func() fuse.Now {
		t := now()
		return fuse.Now{Mono: t.Mono, Wall: t.Wall.UnixNano()}
	})
	if err == nil {
		v.server.Failpoint = func() { failpoint("answer view") }
	}
	return err
}

// hearViews has answer called when there are requests.
func (m *monitor) hearViews(answer func()) error {
	v := &m.views
	v.restUntil = 0
	dev := v.dev
	return m.loop.Add(dev, unix.EPOLLIN, func(uint32) {
		if v.dev == dev {
			answer()
		}
	})
}

func (m *monitor) answerViews() {
	v := &m.views
	if err := v.server.Serve(viewBudget); err != nil {
		m.viewsFailed(err)
		return
	}
	if v.rounds++; v.rounds%effortRounds == 0 {
		m.restViews(m.effort.rest())
	}
}

// restViews has nobody heard for a time.
func (m *monitor) restViews(wait time.Duration) {
	if wait > 0 {
		m.loop.Remove(m.views.dev)
		m.views.restUntil = now().Mono + wait
	}
}

// hearAgain ends that when it is time.
func (m *monitor) hearAgain(mono time.Duration, answer func()) {
	v := &m.views
	if v.restUntil == 0 || mono < v.restUntil {
		return
	}
	if err := m.hearViews(answer); err != nil {
		m.viewsFailed(err)
	}
}

// viewsFailed gives up a connection, so that nobody waits for an answer, and has another
// one made.
func (m *monitor) viewsFailed(err error) {
	m.dropViews()
	m.mendViews()
	if !errors.Is(err, fuse.ErrGone) {
		m.log.say("cannot serve the guest's views: " + err.Error())
	}
}

// viewsChanged has nobody see figures from before this moment.
func (m *monitor) viewsChanged() {
	if m.calls.server != nil {
		m.calls.server.Drop()
	}
	if m.views.server == nil {
		return
	}
	if err := m.views.server.Changed(); err != nil {
		m.viewsFailed(err)
	}
}

// dropViews lets go of the connection: without its last descriptor it ends.
func (m *monitor) dropViews() {
	v := &m.views
	m.drop(fdViews)
	m.placed()
	if v.dev < 0 {
		return
	}
	m.loop.Remove(v.dev)
	unix.Close(v.dev)
	v.dev, v.server, v.restUntil = -1, nil, 0
}

// viewName is what a view is called where it is served.
func viewName(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "proc/"), "sys/devices/system/")
}

// countCPUs is how many CPUs the guest sees; -1: it can't be known now.
func (m *monitor) countCPUs() (n int) {
	n = -1
	m.withFigures(views.NeedCPUs, func(s *views.Snapshot) { n = len(s.CPUs) })
	return n
}

// viewTable is what is served: each file of package views by its name below /proc or
// /sys/devices/system.
func (m *monitor) viewTable() *fuse.Table {
	base := m.plan.Context.IDs.Base
	t := &fuse.Table{UID: base, GID: base, Files: []fuse.File{{Path: mounts.ViewTouch, TTL: time.Hour, Render: func(b []byte) []byte { return b }}},
		Counted: []fuse.Counted{{Dir: viewName(views.CPUDir), Prefix: "cpu", Count: m.countCPUs}}}
	for _, f := range views.CPUFiles() {
		t.Counted[0].Files = append(t.Counted[0].Files, fuse.Numbered{Path: f.Path, Render: f.Render})
	}
	for _, f := range views.Files() {
		path := viewName(f.Path)
		t.Files = append(t.Files, fuse.File{Path: path, TTL: f.TTL, Render: func(b []byte) (content []byte) {
			m.withFigures(f.Need, func(s *views.Snapshot) { content = f.Render(b, s) })
			return content
		}})
	}
	return t
}
