package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestChoose(t *testing.T) {
	for words, want := range map[string]string{
		"exec":          "exec",
		"start":         "start",
		"console":       "console console-client",
		"kill,debian":   "kill debian-start debian-stop",
		"memory-20,ls":  "ls-stopped ls-f-stopped ls-running ls-f-running memory-20",
		"starts,create": "create-busybox create-debian starts-row starts-4",
	} {
		chosen, err := choose(rows(), words)
		if err != nil {
			t.Errorf("%s: %v", words, err)
		}
		var keys []string
		for _, r := range chosen {
			keys = append(keys, r.key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
	if chosen, err := choose(rows(), ""); err != nil || len(chosen) != len(rows()) {
		t.Errorf("no words: %d rows, %v", len(chosen), err)
	}
	if _, err := choose(rows(), "exec,nothing"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("an unknown row: %v", err)
	}
}

func TestTable(t *testing.T) {
	table := newTable()
	r := row{title: "start", unit: "ms"}
	table.add(r, []samples{{&sysct{}, []float64{3, 1, 8, 2}}, {&lxc{about: "LXC"}, []float64{12.34, 5, 200}}})
	var out strings.Builder
	table.print(&out)
	want := `
|           |       | runs |  min | median |  max | ratio |
| --------- | ----- | ---: | ---: | -----: | ---: | ----: |
| start, ms | sysct |    4 | 1.00 |   2.50 | 8.00 |  0.20 |
|           | LXC   |    3 | 5.00 |   12.3 |  200 |  1.00 |
`
	if out.String() != want {
		t.Errorf("got:%s\nwant:%s", out.String(), want)
	}
}

// TestFIFO: a word that was said before doesn't stop the clock, nor does a writer
// that left.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), firstName)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	say := func() {
		if err := os.WriteFile(path, []byte("\n"), 0); err != nil {
			t.Error(err)
		}
	}
	say()
	f.drain()
	heard := make(chan error, 1)
	go func() { heard <- f.wait() }()
	select {
	case err := <-heard:
		t.Fatalf("heard the old word: %v", err)
	default:
	}
	say()
	if err := <-heard; err != nil {
		t.Error(err)
	}
}
