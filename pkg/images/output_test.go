package images

import (
	"bytes"
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	var progress, log bytes.Buffer
	o := newOutput(&progress, &log)
	text := "I: running apt-get update...\nGet:1 x\nI: installing essential packages...\nI: Retrieving a\nI: Validating a\nI: Retrieving b\n" +
		"10%\r20%\r30%\r\nodd \x1b[31m\u009bline\n" + strings.Repeat("long", 1000) + "\nE: the end"
	for _, part := range strings.SplitAfter(text, "a") { // lines come in pieces
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if log.String() != text {
		t.Errorf("log is %q", log.String())
	}
	if got, want := progress.String(), "  running apt-get update\n  installing essential packages\n  downloading packages\n"; got != want {
		t.Errorf("progress is %q", got)
	}
	lines := o.last()
	want := []string{"30%", "odd [31mline", strings.Repeat("long", 250), "E: the end"}
	for i, line := range lines[len(lines)-4:] {
		if line != want[i] {
			t.Errorf("line %q, want %q", line, want[i])
		}
	}
}
