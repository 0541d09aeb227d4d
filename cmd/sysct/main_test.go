package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/helperbin"
)

// asCommand in the environment makes the test binary the command itself, for
// tests that need it as a process of its own, on a terminal.
const asCommand = "SYSCT_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	dir, err := os.MkdirTemp("", "sysct-test-embedded-")
	if err == nil {
		_, err = helperbin.Extract(dir, helperbin.Net)
		os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Println("the helper is not embedded, make build puts it there:", err)
		os.Exit(1)
	}
	testscript.Main(m, map[string]func(){"sysct": main})
}

func testCache() string {
	if dir := os.Getenv("SYSCT_TEST_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/sysct-test"
}

// TestScripts runs the conversations in testdata, each with an instance of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			top, err := os.MkdirTemp("/var/tmp", "sysct-test-")
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars, instanceEnv(top)...)
			env.Defer(func() { endInstance(t, top) })
			return nil
		},
	})
}

// instanceEnv is the environment of an instance with directories of its own.
func instanceEnv(top string) []string {
	return []string{"SYSCT_STATE_DIR=" + top + "/lib", "SYSCT_RUN_DIR=" + top + "/run", "SYSCT_CACHE_DIR=" + testCache(), "SYSCT_NETWORK=none"}
}

// endInstance destroys the instance's guests.
func endInstance(t *testing.T, top string) {
	if out, err := command(top, "destroy", "--all", "-f").CombinedOutput(); err != nil {
		t.Errorf("destroy: %v\n%s", err, out)
	}
	// The holder ends by itself, a moment later, and its log has a last line.
	err := os.RemoveAll(top)
	for end := time.Now().Add(time.Minute); errors.Is(err, unix.ENOTEMPTY) && time.Now().Before(end); err = os.RemoveAll(top) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
}

// command is sysct as a process of its own.
func command(top string, args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), append(instanceEnv(top), asCommand+"=1")...)
	return c
}

// instance makes the directories of an instance and gives a function that runs sysct on it.
func instance(t *testing.T) (string, func(args ...string) string) {
	t.Helper()
	top, err := os.MkdirTemp("/var/tmp", "sysct-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endInstance(t, top) })
	return filepath.Clean(top), func(args ...string) string {
		t.Helper()
		out, err := command(top, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("sysct %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}
