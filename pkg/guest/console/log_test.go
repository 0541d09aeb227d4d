package console_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

var epoch = time.Unix(1_700_000_000, 0)

func read(t *testing.T, path string) []byte {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return p
}

// However it is written and whoever goes on with it, a log is the tail of all
// that was written, in files of at most its size.
func TestLogRotates(t *testing.T) {
	const size, files = 100, 3
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		fd := openDir(t, dir)
		var all []byte
		var l *console.Log
		reopen := func(rt *rapid.T) {
			if l != nil {
				l.Close()
			}
			if l, err = console.NewLog(fd, "g.console.log", console.LogOptions{Size: size, Files: files}); err != nil {
				rt.Fatal(err)
			}
		}
		reopen(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"adopt": reopen,
			"write": func(rt *rapid.T) {
				p := pattern(uint64(len(all)), rapid.IntRange(0, 3*size).Draw(rt, "n"))
				l.Write(epoch, p)
				all = append(all, p...)
			},
			"": func(rt *rapid.T) {
				var got bytes.Buffer
				for _, ext := range []string{".2", ".1", ""} {
					p := read(t, filepath.Join(dir, "g.console.log"+ext))
					if len(p) > size {
						rt.Fatalf("%s has %d bytes", ext, len(p))
					}
					got.Write(p)
				}
				if !bytes.HasSuffix(all, got.Bytes()) || got.Len() < min(len(all), (files-1)*size) {
					rt.Fatalf("the files are not the tail of what was written")
				}
			},
		})
		l.Close()
	})
}

func TestLogOneFile(t *testing.T) {
	dir := t.TempDir()
	l := newLog(t, dir, "one", console.LogOptions{Size: 10, Files: 1})
	l.Write(epoch, []byte("0123456789"))
	l.Write(epoch, []byte("abc"))
	if got := string(read(t, filepath.Join(dir, "one"))); got != "abc" {
		t.Errorf("got %q", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files", len(entries))
	}
}

func TestLogIsPrivate(t *testing.T) {
	dir := t.TempDir()
	defer unix.Umask(unix.Umask(0))
	newLog(t, dir, "log", console.LogOptions{}).Write(epoch, []byte("x"))
	st, err := os.Stat(filepath.Join(dir, "log"))
	if err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

// What lies in the place of a log is neither followed nor waited for, and the log
// goes on when it is gone.
func TestLogRefusesOthers(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"symlink":   func(p string) error { return os.Symlink("/dev/full", p) },
		"fifo":      func(p string) error { return unix.Mkfifo(p, 0o600) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "log")
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		l := newLog(t, dir, "log", console.LogOptions{})
		l.Write(epoch, []byte("12345"))
		l.Write(epoch.Add(time.Second/2), []byte("678"))
		if l.Lost() != 8 || l.Err() == nil {
			t.Errorf("%s: lost %d, %v", name, l.Lost(), l.Err())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		l.Write(epoch.Add(time.Second), []byte("back\n"))
		got := string(read(t, path))
		if !strings.HasPrefix(got, "\r\n[sysct: 8 bytes not logged: ") || !strings.HasSuffix(got, "]\r\nback\n") {
			t.Errorf("%s: got %q", name, got)
		}
		if l.Err() != nil || l.Lost() != 8 {
			t.Errorf("%s: after that lost %d, %v", name, l.Lost(), l.Err())
		}
	}
}

func TestNewLogRefusesNames(t *testing.T) {
	for _, name := range []string{"", "a/b", "../x", "a\x00b"} {
		if _, err := console.NewLog(openDir(t, "/"), name, console.LogOptions{}); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}

// An administrator who removes or moves the file gets a new one.
func TestLogFollowsItsName(t *testing.T) {
	dir := t.TempDir()
	l := newLog(t, dir, "log", console.LogOptions{})
	l.Write(epoch, []byte("one"))
	if err := os.Rename(filepath.Join(dir, "log"), filepath.Join(dir, "mine")); err != nil {
		t.Fatal(err)
	}
	l.Write(epoch.Add(time.Minute), []byte("two"))
	if one, two := read(t, filepath.Join(dir, "mine")), read(t, filepath.Join(dir, "log")); string(one) != "one" || string(two) != "two" {
		t.Errorf("got %q and %q", one, two)
	}
}

// On a full disk the log counts, goes on when there is room, and says what is
// missing. The tiny disk is mounted in a mount namespace of another process.
func TestLogFullDisk(t *testing.T) {
	cmd := role(t, "tiny disk", t.TempDir())
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	cmd.Stderr = nil
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
}

func tinyDisk(dir string) error {
	if err := unix.Mount("test", dir, "tmpfs", 0, "size=64k"); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		return err
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	l, err := console.NewLog(fd, "log", console.LogOptions{})
	if err != nil {
		return err
	}
	line := []byte(strings.Repeat("y", 99) + "\n")
	written := 0
	for now := epoch; now.Before(epoch.Add(10 * time.Second)); now = now.Add(10 * time.Millisecond) {
		l.Write(now, line)
		written += len(line)
	}
	var errno unix.Errno
	if !errors.As(l.Err(), &errno) || errno != unix.ENOSPC {
		return fmt.Errorf("on a full disk the error is %v", l.Err())
	}
	lost := l.Lost()
	if err := os.Remove(ballast); err != nil {
		return err
	}
	l.Write(epoch.Add(20*time.Second), line)
	written += len(line)
	got, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	notice := fmt.Sprintf("\r\n[sysct: %d bytes not logged: no space left on device]\r\n", lost)
	if l.Err() != nil || !bytes.HasSuffix(got, append([]byte(notice), line...)) {
		return fmt.Errorf("%v, ends in %q", l.Err(), got[max(0, len(got)-300):])
	}
	if want := written - int(lost) + len(notice); len(got) != want {
		return fmt.Errorf("%d bytes, want %d", len(got), want)
	}
	return nil
}

func TestReadLog(t *testing.T) {
	dir := t.TempDir()
	fd := openDir(t, dir)
	get := func(files, lines int) string {
		var b bytes.Buffer
		if err := console.ReadLog(fd, "log", files, lines, &b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if err := console.ReadLog(fd, "log", 4, 0, &bytes.Buffer{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	for name, text := range map[string]string{"log.2": "1\n2\n3", "log.1": "3\n4\n5\n", "log": "6\n7\n8"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := "1\n2\n33\n4\n5\n6\n7\n8"
	for lines, want := range map[int]string{0: all, 1: "8", 2: "7\n8", 3: "6\n7\n8", 4: "5\n6\n7\n8", 6: "33\n4\n5\n6\n7\n8", 8: all, 99: all} {
		if got := get(4, lines); got != want {
			t.Errorf("%d lines: %q, want %q", lines, got, want)
		}
	}
	if got := get(2, 0); got != "3\n4\n5\n6\n7\n8" {
		t.Errorf("2 files: %q", got)
	}
	big := strings.Repeat("x", 200_000)
	if err := os.WriteFile(filepath.Join(dir, "log"), []byte(big+"\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := get(4, 2); got != big+"\nend\n" {
		t.Errorf("a long line: %d bytes", len(got))
	}
}
