package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
)

// update writes what sysct answers into the table instead of comparing it.
var update = flag.Bool("update", false, "write testdata/badinput/table.txt anew")

const badInputFile = "testdata/badinput/table.txt"

// badCase is one entry of the table. All its lines but the last prepare; the last
// one is the bad input.
type badCase struct {
	title  string
	script []string
	want   string // status, standard error and, each line after a bar, standard output
}

// TestBadInput goes through the table of bad input. Each is answered with its exact
// message and status, and leaves the store, the run directory, the ids and the
// locks as they were.
func TestBadInput(t *testing.T) {
	table, err := os.ReadFile(badInputFile)
	if err != nil {
		t.Fatal(err)
	}
	w := newBadWorld(t)
	text := string(table)
	for i, block := range strings.Split(text, "\n\n") {
		c, ok := parseBadCase(block)
		if !ok {
			continue
		}
		t.Run(fmt.Sprintf("%03d %s", i, c.title), func(t *testing.T) {
			got := w.answer(t, c)
			if *update {
				text = strings.Replace(text, block, c.with(got), 1)
			} else if got != c.want {
				t.Errorf("$ %s\ngot:\n%s\nwant:\n%s", strings.Join(c.script, "\n$ "), got, c.want)
			}
		})
	}
	if *update {
		if err := os.WriteFile(badInputFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parseBadCase reads a block of the table: a title, lines after `$ `, then the
// status and the output. A block of remarks is none.
func parseBadCase(block string) (c badCase, ok bool) {
	lines := strings.Split(strings.Trim(block, "\n"), "\n")
	c.title, ok = strings.CutPrefix(lines[0], "-- ")
	i := 1
	for ; i < len(lines); i++ {
		command, found := strings.CutPrefix(lines[i], "$ ")
		if !found {
			break
		}
		c.script = append(c.script, command)
	}
	c.want = strings.Join(lines[min(i, len(lines)):], "\n")
	return c, ok && len(c.script) > 0
}

// with is the block with another answer.
func (c badCase) with(answer string) string {
	return "-- " + c.title + "\n$ " + strings.Join(c.script, "\n$ ") + "\n" + answer
}

// badWorld is an instance with two guests, web and two, that never change for long.
type badWorld struct {
	top, lib, run, whole string
	env                  []string
	before               string
}

func newBadWorld(t *testing.T) *badWorld {
	t.Helper()
	top, sysct := instance(t)
	w := &badWorld{top: top, lib: top + "/lib", run: top + "/run", whole: top + "/whole"}
	sysct("create", "two", "-t", "busybox", "-B", "dir")
	sysct("create", "web", "-t", "busybox", "-B", "dir")
	sysct("start", "web") // makes the directory of the logs
	sysct("stop", "-k", "web")
	w.waitIdle(t)
	w.copyTree(t, w.lib, w.whole)
	// Other users have to reach the program.
	for _, dir := range []string{top, top + "/bin"} {
		os.Mkdir(dir, 0o755)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.install(t)
	w.env = append(os.Environ(), append(instanceEnv(top), asCommand+"=1", "LC_ALL=C.UTF-8",
		"PATH="+top+"/bin:"+os.Getenv("PATH"), "TOP="+top, "LIB="+w.lib, "RUN="+w.run,
		"CONF="+w.lib+"/web/config.toml", "STATE="+w.lib+"/web/state.json", "ETC="+top+"/etc")...)
	w.before = w.state(t)
	return w
}

// install puts the command and what prepares templates into the PATH.
func (w *badWorld) install(t *testing.T) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.copyTree(t, exe, w.top+"/bin/sysct")
	// $ETC is laid over /etc, for the one command and what it starts.
	script := "#!/bin/sh\nexec unshare -m --propagation private sh -c 'mount -t overlay -o lowerdir=/etc,upperdir=$ETC,workdir=$TOP/etc-work overlay /etc && exec \"$@\"' sh \"$@\"\n"
	// A stop returns when the guest has ended; its monitor and the holder end later.
	settle := "#!/bin/sh\nwhile [ -e $RUN/holder.sock ]; do sleep 0.05; done\n"
	for name, text := range map[string]string{"with-etc": script, "settle": settle} {
		if err := os.WriteFile(w.top+"/bin/"+name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"/etc/sysct/templates", "/etc-work", "/desk"} {
		if err := os.MkdirAll(w.top+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// answer prepares, runs the bad input and says what came of it.
func (w *badWorld) answer(t *testing.T, c badCase) string {
	t.Helper()
	defer w.restore(t)
	last := len(c.script) - 1
	if last > 0 {
		if _, out, err := w.shell(t, "set -e\n"+strings.Join(c.script[:last], "\n")); err != nil {
			t.Fatalf("preparation: %v\n%s", err, out)
		}
	}
	_, err := os.Lstat(w.run + "/web/control.sock")
	idle := err != nil && !strings.Contains(strings.Join(c.script[:last], "\n"), "control.sock")
	if idle {
		w.waitIdle(t) // of what the preparation started and stopped
	}
	before := w.state(t)
	stdout, stderr, err := w.shell(t, c.script[last])
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if idle {
		w.waitIdle(t) // a start that failed has had a holder
	}
	if after := w.state(t); after != before {
		t.Errorf("it changed\n%s\nto\n%s", missingLines(before, after), missingLines(after, before))
	}
	w.noLock(t)
	answer := fmt.Sprintf("= %d", status)
	if text := strings.TrimSuffix(stderr, "\n"); text != "" {
		answer += "\n" + text
	}
	if text := strings.TrimSuffix(stdout, "\n"); text != "" {
		answer += "\n| " + strings.ReplaceAll(text, "\n", "\n| ")
	}
	return w.named(answer)
}

// named puts the table's names in the place of the test's own paths, pids and ids.
func (w *badWorld) named(text string) string {
	text = strings.NewReplacer(w.lib, "$LIB", w.run, "$RUN", w.top, "$TOP").Replace(text)
	for pattern, name := range map[string]string{`pid \d+`: "pid N", `\d+\+65536: `: "N+65536: ", `\d+\+65536$`: "N+65536", `\(online: [^)]*\)`: "(online: N)"} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, name)
	}
	return text
}

func (w *badWorld) hasHolder() bool {
	_, err := os.Lstat(w.run + "/holder.sock")
	return err == nil
}

func (w *badWorld) waitIdle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); w.hasHolder(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the holder doesn't end")
		}
	}
}

// shell runs a script, for a minute at most.
func (w *badWorld) shell(t *testing.T, script string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Env, cmd.Dir, cmd.WaitDelay = w.env, w.top+"/desk", time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s: it hangs\n%s%s", script, &out, &errs)
	}
	return out.String(), errs.String(), err
}

// state is what bad input must not change: the store without its logs, the run
// directory but for what a monitor notes of a guest, and the ids.
func (w *badWorld) state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{w.lib, w.run} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || strings.HasPrefix(path, w.lib+"/.log/") || path == w.run+"/web" || path == w.run+"/web/run.json" {
				return nil
			}
			fmt.Fprintln(&b, describeFile(path))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ledger, err := os.ReadFile(idledger.DefaultDir + "/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(ledger)) {
		if strings.Contains(line, w.top+"/") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// describeFile is a line about a file that changes when it does.
func describeFile(path string) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return path + ": " + err.Error()
	}
	line := fmt.Sprintf("%s %o %d:%d %x", path, st.Mode, st.Uid, st.Gid, st.Rdev)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, _ := os.Readlink(path)
		return line + " -> " + target
	case unix.S_IFREG:
		line += fmt.Sprintf(" %d bytes, of %d", st.Size, st.Mtim.Nano())
		if st.Size < 1<<16 {
			data, _ := os.ReadFile(path)
			line += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
	}
	return line
}

// noLock says that no lock is held any more.
func (w *badWorld) noLock(t *testing.T) {
	t.Helper()
	locks, err := filepath.Glob(w.run + "/.lock/*")
	if err != nil || len(locks) == 0 {
		t.Errorf("locks: %q, %v", locks, err)
	}
	for _, path := range locks {
		lock, err := flock.TryAcquire(path)
		if err != nil {
			t.Error(err)
			continue
		}
		lock.Release()
	}
}

// restore ends what a preparation started, and puts the store back.
func (w *badWorld) restore(t *testing.T) {
	t.Helper()
	if w.hasHolder() {
		w.shell(t, "sysct stop -k web")
		w.waitIdle(t)
	}
	os.RemoveAll(w.run + "/web")
	for _, dir := range []string{"/etc/sysct/templates", "/desk"} {
		os.RemoveAll(w.top + dir)
		if err := os.MkdirAll(w.top+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if w.state(t) == w.before {
		return
	}
	// Mostly it is one of these.
	for _, name := range []string{"config.toml", "state.json"} {
		os.RemoveAll(w.lib + "/web/" + name)
		w.copyTree(t, w.whole+"/web/"+name, w.lib+"/web/"+name)
	}
	if w.state(t) != w.before {
		os.RemoveAll(w.lib)
		w.copyTree(t, w.whole, w.lib)
	}
}

func (w *badWorld) copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// missingLines gives the lines of a text that another doesn't have.
func missingLines(text, other string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(other, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}
