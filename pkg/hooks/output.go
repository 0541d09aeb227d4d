package hooks

import (
	"bytes"
	"os"
	"strings"
	"unicode"
)

// Bounds of what is kept of a hook's output, in bytes: all, and of a line.
const (
	maxOutput = 64 << 10
	maxLine   = 512
)

// Output takes what hooks print, from a pipe, and hands it on by lines.
type Output struct {
	Write *os.File // the hooks' end
	read  *os.File
	say   func(line string)
	done  chan struct{}
	line  []byte
	last  string
	taken int
}

// NewOutput makes the pipe. say gets every line, from another goroutine, until Close.
func NewOutput(say func(line string)) (*Output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &Output{Write: w, read: r, say: say, done: make(chan struct{})}
	go o.drain()
	return o, nil
}

func (o *Output) drain() {
	defer close(o.done)
	buf := make([]byte, 4096)
	for {
		n, err := o.read.Read(buf)
		o.take(buf[:n])
		if err != nil {
			o.flush()
			return
		}
	}
}

func (o *Output) take(data []byte) {
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			o.line = append(o.line, data[:min(len(data), maxLine-min(len(o.line), maxLine))]...)
			return
		}
		o.line = append(o.line, data[:min(i, maxLine-min(len(o.line), maxLine))]...)
		o.flush()
		data = data[i+1:]
	}
}

// flush hands a line on. What comes after too much is read, so that the hook isn't
// stopped by a full pipe, and thrown away.
func (o *Output) flush() {
	line := printable(string(o.line))
	o.line = o.line[:0]
	if line == "" {
		return
	}
	o.last = line
	if o.taken > maxOutput {
		return
	}
	if o.taken += len(line) + 1; o.taken > maxOutput {
		line = "it prints more than is kept"
	}
	o.say(line)
}

// Close takes what is in the pipe and gives the last line. A process that a hook has
// left running, with the pipe open, isn't waited for.
func (o *Output) Close() string {
	o.Write.Close()
	o.read.SetReadDeadline(soon())
	<-o.done
	o.read.Close()
	return o.last
}

// printable keeps a line one line.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}
