package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Without a terminal a long verb says once what it does.
func TestFirstLine(t *testing.T) {
	var out bytes.Buffer
	f := &firstLine{to: &out}
	for _, text := range []string{"building ", "it\n  stage\n", "  another\n", "built it\n"} {
		if n, err := fmt.Fprint(f, text); n != len(text) || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	if out.String() != "building it\n" {
		t.Errorf("%q", out.String())
	}
}

// A warning's further lines stand for themselves, and none can steer a terminal.
func TestWarn(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	(&app{err: file}).warn("it was killed\x1b[2J\n  1 sleep\nhint: wait\n")
	data, err := os.ReadFile(file.Name())
	if want := "sysct: warning: it was killed\\x1b[2J\n  1 sleep\nhint: wait\n"; string(data) != want || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}
