package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/rootpath"
)

// lines collects what hooks print.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, line)
}

// run runs a shell script as a hook.
func run(t *testing.T, ctx context.Context, limit time.Duration, script string) ([]string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	var l lines
	plan := &Plan{Timeout: limit, Commands: map[string][][]string{PreStart: {{path, "a b"}}}}
	r := Runner{Plan: plan, ID: fmt.Sprintf("%s@%d", t.Name(), os.Getpid()), Say: l.say}
	err := r.Run(ctx, Context{Hook: PreStart, Name: "tiny", RootfsPath: "/x"})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text, err
}

func TestEnvironmentIsCleanAndWhole(t *testing.T) {
	t.Setenv("SECRET_OF_THE_CALLER", "x")
	got, err := run(t, t.Context(), time.Minute, `env; echo "arg=$1"; cat; ls /proc/self/fd | wc -l`)
	text := strings.Join(got, "\n")
	if err != nil || strings.Contains(text, "SECRET") {
		t.Errorf("%v\n%s", err, text)
	}
	for _, want := range []string{"LXC_NAME=tiny", "SYSCT_NAME=tiny", "arg=a b", `{"version":1,"hook":"pre-start","name":"tiny"`, "PATH=/usr/local/sbin:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	// 0, 1, 2, the directory itself, and what the shell has its script open as
	if !strings.HasSuffix(text, ": 4") && !strings.HasSuffix(text, ": 5") {
		t.Errorf("descriptors are handed on:\n%s", text)
	}
}

func TestOutputIsBoundedAndCantLie(t *testing.T) {
	got, err := run(t, t.Context(), time.Minute, `printf 'a\033[2J\rb\n\n'; head -c 2000 /dev/zero | tr '\0' x; echo; i=0
while [ $i -lt 300 ]; do head -c 500 /dev/zero | tr '\0' y; echo; i=$((i+1)); done; echo last >&2; exit 1`)
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 1: last") {
		t.Error(err)
	}
	size := 0
	for _, line := range got {
		size += len(line)
		if strings.ContainsAny(line, "\x1b\r\n") || len(line) > maxLine+200 {
			t.Errorf("%q", line)
		}
	}
	if !strings.HasSuffix(got[0], ": a [2J b") || size > 3*maxOutput {
		t.Errorf("%d bytes, first %q", size, got[0])
	}
}

// What a hook that ends well leaves running isn't waited for, nor ended.
func TestDaemonOfAHookLives(t *testing.T) {
	dir := t.TempDir()
	_, err := run(t, t.Context(), time.Minute, "(while [ ! -e "+dir+"/go ]; do sleep 0.05; done; trap '' PIPE; touch "+dir+"/done) &\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(dir + "/done"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it was ended")
		}
	}
}

// dead waits for a process to be gone, or to be reaped: on a busy host a killed one dies later.
func dead(t *testing.T, pid string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it lives: %s", stat)
		}
	}
}

func TestHookIsKilledWithItsChildren(t *testing.T) {
	dir := t.TempDir()
	script := "(setsid sh -c 'trap \"\" TERM HUP; echo $$ > " + dir + "/child; sleep 4720; sleep 4721' &)\nwhile [ ! -s " + dir + "/child ]; do sleep 0.05; done\necho hangs >&2\nsleep 4722\n"
	_, err := run(t, t.Context(), 5*time.Second, script)
	if err == nil || !strings.HasSuffix(err.Error(), "killed: it did not end in 5s: hangs") {
		t.Error(err)
	}
	child, _ := os.ReadFile(dir + "/child")
	dead(t, strings.TrimSpace(string(child)))
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("not wanted any more")
	cancel(cause)
	if _, err := run(t, ctx, time.Hour, "sleep 4723"); !errors.Is(err, cause) {
		t.Errorf("a hook that is given up: %v", err)
	}
}

func TestWhatIsInAGuestsTree(t *testing.T) {
	for path, want := range map[string]bool{
		"/var/lib/sysct/web/rootfs/bin/x": true, "/var/lib/sysct/web/upper/x": true, "/var/lib/sysct/.layers/1/tree/x": true,
		"/var/lib/sysct/.new-web/rootfs/x": true, "/var/lib/sysct/web/hooks/x": false, "/etc/x": false, "/var/lib/sysct2/web/rootfs/x": false,
	} {
		if got := rootpath.InGuest(path, "/var/lib/sysct"); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestPathsThatOthersCanTurn(t *testing.T) {
	top := t.TempDir()
	make := func(name, text string) string {
		path := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(target, name string) string {
		path := filepath.Join(top, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := make("good/hook", "#!/bin/sh\n")
	users := make("users/hook", "#!/bin/sh\n")
	group := make("group/below/hook", "#!/bin/sh\n")
	script := make("good/script", "#!"+users+" -x\n")
	missing := make("good/missing", "#!/nowhere/sh\n")
	sticky := make("sticky/hook", "#!/bin/sh\n")
	turned, theirs := link(good, "users/link"), link(good, "theirs")
	if err := errors.Join(os.Chown(filepath.Join(top, "users"), 1234, 1234), os.Chmod(filepath.Join(top, "group"), 0o775),
		os.Lchown(theirs, 1234, 1234), os.Chmod(filepath.Join(top, "sticky"), 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		good: "", missing: "", sticky: "", link(good, "ours"): "", link("good/../good", "dir") + "/hook": "",
		users:                  "users on its path belongs to user 1234",
		group:                  "others than root may write into the directory " + filepath.Join(top, "group"),
		script:                 "its interpreter " + users + ": the directory",
		turned:                 "users on its path belongs to user 1234",
		theirs:                 "the link " + theirs + " on its path belongs to user 1234",
		link(users, "through"): "users on its path belongs to user 1234",
		link("loop", "loop"):   "too many levels of symbolic links",
	} {
		err := Check(path, "/var/lib/sysct")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestOthersProcessesAreNotRead: a mark in another user's process is not looked for.
func TestOthersProcessesAreNotRead(t *testing.T) {
	id := fmt.Sprintf("%s@%d", t.Name(), os.Getpid())
	start := func(uid uint32) *exec.Cmd {
		c := exec.Command("sleep", "4724")
		c.Env = []string{marker + "=" + id}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
		// The kernel sets the environment a moment after the program counts as executed.
		for end := time.Now().Add(time.Minute); !marked(c.Process.Pid, []byte(marker+"="+id)); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it has no mark")
			}
		}
		return c
	}
	start(1234)
	ours := start(0)
	// Once only, even if it dies slowly and has its environment for a while.
	if n := KillMarked(id); n != 1 {
		t.Errorf("killed %d processes", n)
	}
	dead(t, strconv.Itoa(ours.Process.Pid))
}
