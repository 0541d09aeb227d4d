package holder

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// TestMain: the test's own program is the helper, so that the real holder runs,
// with a monitor that only leaves descriptors and says what it got.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "holder":
			os.Exit(Main(os.Args[2:], "test"))
		case "monitor":
			os.Exit(fakeMonitor(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

// fakePlan is what a fake monitor is started with.
type fakePlan struct {
	RunDir string
	Out    string // a line is added for each life: pid and names of what it got
	Exit   *int   // exit with this at once
	Child  bool   // start a child that outlives it
}

// fake is a monitor without a guest.
type fake struct {
	name  string
	plan  fakePlan
	store *fdstore.Store
	kept  []fdstore.Stored
	term  chan os.Signal
}

func fakeMonitor(name string) int {
	f := &fake{name: name, term: make(chan os.Signal, 1)}
	signal.Notify(f.term, syscall.SIGTERM)
	if err := f.run(); err != nil {
		fmt.Fprintln(os.Stderr, "fake monitor:", err)
		return 3
	}
	return 0
}

func (f *fake) run() error {
	got, err := fdstore.Received()
	if err != nil {
		return err
	}
	var report *os.File
	for _, s := range got {
		switch s.Name {
		case "plan":
			if err := json.NewDecoder(io.NewSectionReader(os.NewFile(uintptr(s.FD), "plan"), 0, 4096)).Decode(&f.plan); err != nil {
				return err
			}
			f.kept = append(f.kept, s)
		case "report":
			report = os.NewFile(uintptr(s.FD), "report")
		default:
			f.kept = append(f.kept, s)
		}
	}
	if f.store, err = fdstore.Open(os.Getenv("NOTIFY_SOCKET")); err != nil {
		return err
	}
	if f.plan.Exit != nil {
		defer os.Exit(*f.plan.Exit)
		return f.say(got, 0)
	}
	listen, err := f.setup(got)
	if err != nil {
		return err
	}
	if report != nil {
		fmt.Fprint(report, "up")
		report.Close()
	}
	return f.serve(listen)
}

// setup leaves descriptors in the first life, and finds them in the next.
func (f *fake) setup(got []fdstore.Stored) (int, error) {
	for _, s := range got {
		if s.Name == "control" {
			return s.FD, f.say(got, 0)
		}
	}
	dir, err := os.Open(filepath.Join(f.plan.RunDir, f.name))
	if err != nil {
		return -1, err
	}
	listen, err := control.Listen(int(dir.Fd()))
	if err != nil {
		return -1, err
	}
	child := 0
	if f.plan.Child {
		child, err = syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{Env: []string{}})
		if err != nil {
			return -1, err
		}
	}
	f.kept = append(f.kept, fdstore.Stored{Name: "control", FD: listen}, fdstore.Stored{Name: "shared", FD: int(dir.Fd())})
	if err := f.put(); err != nil {
		return -1, err
	}
	return listen, f.say(got, child)
}

func (f *fake) put() error {
	for _, s := range f.kept {
		if err := f.store.Put(s.Name, s.FD); err != nil {
			return err
		}
	}
	return f.store.Barrier(10 * time.Second)
}

func (f *fake) say(got []fdstore.Stored, child int) error {
	var names []string
	for _, s := range got {
		names = append(names, s.Name)
	}
	out, err := os.OpenFile(f.plan.Out, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = fmt.Fprintf(out, "%d %d %s\n", os.Getpid(), child, strings.Join(names, ","))
	return err
}

func (f *fake) serve(listen int) error {
	for {
		select {
		case <-f.term:
			for _, s := range f.kept {
				f.store.Remove(s.Name)
			}
			return f.store.Notify("STOPPING", "1")
		default:
		}
		unix.Poll([]unix.PollFd{{Fd: int32(listen), Events: unix.POLLIN}}, 10)
		p, err := control.Accept(listen)
		if err != nil {
			continue
		}
		unix.Poll([]unix.PollFd{{Fd: int32(p.FD()), Events: unix.POLLIN}}, -1)
		if req, _, err := p.Receive(); err == nil && req.Op == control.OpAdopt {
			self, err := unix.PidfdOpen(os.Getpid(), 0)
			if err != nil {
				return err
			}
			p.Reply(&control.Response{Pid: os.Getpid()}, self)
			unix.Close(self)
			if err := f.put(); err != nil {
				return err
			}
		}
		p.Close()
	}
}
