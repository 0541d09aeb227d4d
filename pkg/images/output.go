package images

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// keptLines is how many of a build's last lines an error carries.
const keptLines = 15

// maxLine bounds a line that is kept, in bytes.
const maxLine = 1000

// output takes what a build writes: all of it goes to the log, its stages to the progress, its last lines are kept.
type output struct {
	log      io.Writer
	progress io.Writer

	mu     sync.Mutex
	line   []byte // begun, without its end
	lines  []string
	staged string
}

func newOutput(progress, log io.Writer) *output {
	o := &output{log: log, progress: progress}
	if o.log == nil {
		o.log = io.Discard
	}
	if o.progress == nil {
		o.progress = io.Discard
	}
	return o
}

// Write takes output of a tool. A log or a terminal that can't be written to stops no build.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.log.Write(p)
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := maxLine - len(o.line); room > 0 {
			o.line = append(o.line, line[:min(room, len(line))]...)
		}
		if ended {
			o.take(string(o.line))
			o.line = o.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

func (o *output) take(line string) {
	// A tool that redraws its line leaves the last state of it.
	line = printable(line[strings.LastIndexByte(strings.TrimRight(line, "\r"), '\r')+1:])
	if strings.TrimSpace(line) == "" {
		return
	}
	o.lines = append(o.lines, line)
	o.lines = o.lines[max(0, len(o.lines)-keptLines):]
	if stage := stageOf(line); stage != "" && stage != o.staged {
		o.staged = stage
		fmt.Fprintf(o.progress, "  %s\n", stage)
	}
}

// stage reports a step of ours.
func (o *output) stage(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintln(o.log, "sysct: "+text)
	fmt.Fprintln(o.progress, text)
}

// last returns the last lines.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := append([]string(nil), o.lines...)
	if len(o.line) > 0 {
		lines = append(lines, printable(string(o.line)))
	}
	return lines
}

// stageOf finds the stage that a line of mmdebstrap or debootstrap begins, or "". debootstrap has a line for each package.
func stageOf(line string) string {
	text, ok := strings.CutPrefix(line, "I: ")
	if !ok {
		return ""
	}
	text = strings.TrimRight(text, ". ")
	verb, _, _ := strings.Cut(text, " ")
	switch verb {
	case "Retrieving", "Validating":
		return "downloading packages"
	case "Extracting", "Unpacking", "Configuring":
		return strings.ToLower(verb) + " packages"
	case "downloading", "extracting", "installing", "cleaning":
		return text
	}
	if text == "running apt-get update" {
		return text
	}
	return ""
}

// printable keeps what a tool or a package wrote from steering the terminal that it is shown on.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || (r >= 0x7f && r < 0xa0):
			return -1
		}
		return r
	}, line)
}
