package enter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestErrors(t *testing.T) {
	g := newGuest(t)
	g.shell(`echo "echo no interpreter" > /srv/text; chmod 755 /srv/text; echo x > /srv/plain; mkdir -m 700 /srv/private /srv/dir
		printf '#!/nowhere\n' > /srv/script; chmod 755 /srv/script; ln -s loop /srv/loop`)
	for _, c := range []struct {
		name   string
		p      Process
		step   step
		errno  unix.Errno
		status int
	}{
		{"not on PATH", Process{Args: []string{"no-such-command"}}, stepExecute, unix.ENOENT, 127},
		{"no such file", Process{Args: []string{"/no/such"}}, stepExecute, unix.ENOENT, 127},
		{"below a file", Process{Args: []string{"/srv/plain/x"}}, stepExecute, unix.ENOENT, 127},
		{"interpreter missing", Process{Args: []string{"/srv/script"}}, stepExecute, unix.ENOENT, 127},
		{"not executable", Process{Args: []string{"/srv/plain"}}, stepExecute, unix.EACCES, 126},
		{"not executable on PATH", Process{Args: []string{"plain"}, Env: []string{"PATH=/bin:/srv:/usr/bin"}}, stepExecute, unix.EACCES, 126},
		{"a directory", Process{Args: []string{"/srv/dir"}}, stepExecute, unix.EACCES, 126},
		{"no program", Process{Args: []string{"/srv/text"}}, stepExecute, unix.ENOEXEC, 126},
		{"a loop", Process{Args: []string{"/srv/loop"}}, stepExecute, unix.ELOOP, 126},
		{"PATH empty", Process{Args: []string{"true"}, Env: []string{"PATH="}}, stepExecute, unix.ENOENT, 127},
		{"PATH relative", Process{Args: []string{"true"}, Dir: "/usr", Env: []string{"PATH=bin:./bin"}}, stepExecute, unix.ENOENT, 127},
		{"no directory", Process{Args: []string{"true"}, Dir: "/no/such"}, stepDirectory, unix.ENOENT, 125},
		{"another's directory", Process{Args: []string{"true"}, Dir: "/srv/private", UID: 1000, GID: 1000}, stepDirectory, unix.EACCES, 125},
		{"id that isn't mapped", Process{Args: []string{"true"}, UID: 70000}, stepUID, unix.EINVAL, 125},
		{"group that isn't mapped", Process{Args: []string{"true"}, Groups: []uint32{70000}}, stepGroups, unix.EINVAL, 125},
		{"terminal that is none", Process{Args: []string{"true"}, TTY: true}, stepTerminal, unix.ENOTTY, 125},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := null(t)
			c.p.Files = [3]int{n, n, n}
			_, err := g.try(&c.p)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			if e.Step != stepNames[c.step] || e.Errno != c.errno || e.ExitStatus() != c.status {
				t.Errorf("%v: status %d; want %q, %v, %d", err, e.ExitStatus(), stepNames[c.step], c.errno, c.status)
			}
		})
	}
	n := null(t)
	for _, p := range []Process{{}, {Args: []string{""}}, {Args: []string{"true"}, UID: noID}, {Args: []string{"true"}, GID: noID}, {Args: []string{"a\x00b"}}, {Args: []string{"true"}, Dir: "\x00"}} {
		p.Files = [3]int{n, n, n}
		if _, err := g.try(&p); err == nil {
			t.Errorf("no error for %+v", p)
		}
	}
	if left := children(t); len(left) != 1 {
		t.Errorf("children left: %v", left)
	}
}

func TestSearchPath(t *testing.T) {
	g := newGuest(t)
	g.shell(`mkdir /srv/a /srv/b; printf '#!/bin/sh\necho a\n' > /srv/a/which-one; sed s/a$/b/ /srv/a/which-one > /srv/b/which-one; chmod 755 /srv/?/which-one`)
	for path, want := range map[string]string{"/srv/a:/srv/b": "a\n", "/srv/b:/srv/a": "b\n", "/none::relative:/srv/b/": "b\n"} {
		out, _ := g.output(&Process{Args: []string{"which-one"}, Env: []string{"PATH=" + path}})
		if out != want {
			t.Errorf("with PATH=%s: %q, want %q", path, out, want)
		}
	}
	out, status := g.output(&Process{Args: []string{"env"}, Env: []string{"A=1", "B=two words"}})
	if out != "A=1\nB=two words\n" || status != 0 {
		t.Errorf("the environment is %q", out)
	}
	if out, _ := g.output(&Process{Args: []string{"./which-one"}, Dir: "/srv/b"}); out != "b\n" {
		t.Errorf("in the working directory: %q", out)
	}
	if out, _ := g.output(&Process{Args: []string{"pwd"}}); out != "/\n" {
		t.Errorf("without a directory: %q", out)
	}
}

// CVE-2024-21626.
func TestDirectoryOutsideTheGuestIsRefused(t *testing.T) {
	g := newGuest(t)
	dir, err := os.Open(filepath.Clean("/var"))
	must(t, err)
	defer dir.Close()
	n := null(t)
	for fd := range 16 {
		p := Process{Args: []string{"true"}, Dir: fmt.Sprintf("/proc/self/fd/%d", fd), Files: [3]int{int(dir.Fd()), n, n}}
		_, err := g.try(&p)
		var e *Error
		if !errors.As(err, &e) || e.ExitStatus() != 125 {
			t.Errorf("descriptor %d: %v", fd, err)
		}
		if fd == 0 && !errors.Is(err, unix.EXDEV) {
			t.Errorf("a directory that was handed in: %v", err)
		}
	}
}
