package guest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/state"
)

func TestLinesOfABoot(t *testing.T) {
	log := "2025-01-02T03:04:05.000Z before\n2025-01-02T03:04:06.123Z first\npanic: without a time\n2025-01-02T03:04:07.000Z last\n2025-01-02T03:05:00.000Z after\nmore after\n"
	from := time.Date(2025, 1, 2, 3, 4, 6, 123456789, time.UTC)
	got := linesOf(log, from, from.Add(2*time.Second))
	want := []string{"2025-01-02T03:04:06.123Z first", "panic: without a time", "2025-01-02T03:04:07.000Z last"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if many := linesOf(strings.Repeat("2025-01-02T03:04:07.000Z x\n", 100), from, from.Add(time.Second)); len(many) != logMost {
		t.Errorf("%d lines", len(many))
	}
}

func TestWhatSystemdSays(t *testing.T) {
	list := "● bad.service     loaded failed failed A bad one\n  worse.service   loaded failed failed Worse\n--help loaded\n"
	if got := failedNames(list); !reflect.DeepEqual(got, []string{"bad.service", "worse.service"}) {
		t.Errorf("%q", got)
	}
	show := "Id=bad.service\nDescription=A = B\nResult=exit-code\nExecMainStatus=3\n\nResult=x\n\nId=m.mount\nDescription=M\nResult=timeout\n"
	want := []FailedUnit{{Name: "bad.service", Description: "A = B", Result: "exit-code", Status: "3"}, {Name: "m.mount", Description: "M", Result: "timeout"}}
	if got := parseShow(show); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestAdviceForAStart(t *testing.T) {
	init := func(e unix.Errno, path string) *state.Failure {
		return &state.Failure{Step: "exec init", Call: "execve", Path: path, Errno: int(e)}
	}
	for want, f := range map[string]*state.Failure{
		"ls -l '/g/rootfs/a b'":              init(unix.ENOENT, "/a b"),
		"the guest has no init":              init(unix.ENOENT, "/sbin/init, /bin/init"),
		"of another architecture":            init(unix.ENOEXEC, "/sbin/init"),
		"chmod +x /g/rootfs/sbin/init":       init(unix.EACCES, "/sbin/init"),
		"leads in circles":                   init(unix.ELOOP, "/sbin/init"),
		"within limits.memory":               init(unix.ENOMEM, "/sbin/init"),
		"sysctl user | grep max_":            {Step: "clone", Call: "clone3", Errno: int(unix.ENOSPC)},
		"nested too deeply":                  {Step: "clone", Call: "clone3", Errno: int(unix.EUSERS)},
		"ulimit -n":                          {Step: "make /dev", Call: "open", Errno: int(unix.EMFILE)},
		"sysctl kernel.pid_max":              {Step: "clone", Call: "clone3", Errno: int(unix.EAGAIN)},
		"the file system can't map ids":      {Step: "mount rootfs", Call: "mount_setattr", Errno: int(unix.EINVAL)},
		"findmnt -T /s":                      {Step: "make control groups", Errno: int(unix.EROFS)},
		"a container, seccomp, a security m": {Step: "mount", Call: "fsopen", Errno: int(unix.EPERM)},
	} {
		if got := strings.Join(startAdvice(f, "/g/rootfs", "/s"), "\n"); !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
	hook := &state.Failure{Step: "post-stop hook", Call: "run", Path: "/etc/x y"}
	if got := strings.Join(hookAdvice(hook, "web"), "\n"); !strings.Contains(got, "mend '/etc/x y', or do without it: sysct unset web hooks.post_stop") {
		t.Errorf("for a hook: %q", got)
	}
	if got := startAdvice(&state.Failure{Step: "clone", Message: "odd"}, "/g", "/s"); len(got) != 0 {
		t.Errorf("for what nobody knows: %q", got)
	}
}

// TestPidsReachedIsOfThePresentLimit: forks that a limit refused before it was raised say
// nothing of the one that holds now.
func TestPidsReachedIsOfThePresentLimit(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		u    Usage
		want bool
	}{
		{Usage{PidsPeak: n(12), PidsMax: n(12), PidsHits: n(3)}, true},
		{Usage{PidsPeak: n(12), PidsMax: n(40), PidsHits: n(3)}, false},
		{Usage{PidsMax: n(12), PidsHits: n(3)}, true}, // before Linux 6.1
		{Usage{PidsPeak: n(12), PidsHits: n(3)}, false},
	} {
		if got := c.u.PidsReached(); got != c.want {
			t.Errorf("peak %v, limit %v: %v", c.u.PidsPeak, c.u.PidsMax, got)
		}
	}
}
