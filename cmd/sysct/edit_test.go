package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestEditAgain is a user who makes a mistake in the editor, is told, and mends it;
// and one who gives up and finds the text.
func TestEditAgain(t *testing.T) {
	top, sysct := instance(t)
	sysct("create", "web", "-t", "busybox")
	counter := filepath.Join(top, "edited")
	// The first text is wrong, the second right.
	editor := filepath.Join(top, "editor")
	script := "#!/bin/sh\nif test -e " + counter + "; then sed -i s/restrat/restart/ $1; else echo >" + counter + "; sed -i 's/^# restart = .*/restrat = \"on-failure\"/' $1; fi\n"
	if err := os.WriteFile(editor, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	edit := func() *terminalSession {
		cmd := command(top, "edit", "web")
		cmd.Env = append(cmd.Env, "VISUAL="+editor, "TMPDIR="+top)
		return onTerminal(t, cmd)
	}
	user := edit()
	user.expect("restrat: unknown key: did you mean restart?")
	user.expect("Edit it again? [Y/n] ")
	user.send("n\n")
	user.expect("hint: your text is in " + top + "/sysct-edit-")
	user.ends(exitUsage)
	if got := sysct("get", "web", "restart"); got != "no\n" {
		t.Errorf("restart is %q", got)
	}
	if err := os.Remove(counter); err != nil {
		t.Fatal(err)
	}
	user = edit()
	user.expect("Edit it again? [Y/n] ")
	user.send("\n")
	user.ends(exitOK)
	if got := sysct("get", "web", "restart"); got != "on-failure\n" {
		t.Errorf("restart is %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(top, "sysct-edit-*")); len(left) != 1 {
		t.Errorf("copies that are left: %q, want the one that was given up", left)
	}
}
