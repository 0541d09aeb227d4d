package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sysct/sysct/internal/vm/wire"
)

// line is one port: answers of several goroutines go out on it one after another.
type line struct {
	mu   sync.Mutex
	port *os.File
}

func (l *line) answer(a wire.Answer) {
	text, _ := json.Marshal(a) // strings and numbers
	l.mu.Lock()
	defer l.mu.Unlock()
	l.port.Write(append(text, '\n')) // with nobody there it waits for the next client, who ignores it
}

// idle is how often a port is asked for a client while there is none: reading it then says end of file.
const idle = 50 * time.Millisecond

// away is how often in a row that has to be said before a client counts as gone, a second in all: the kernel says it too when the news
// that a client has come, or that the one before has gone, arrives after the first of what the new one sent.
const away = 20

// serve does what the clients of a port ask for, one client after another.
func serve(path string) error {
	port, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	out := &line{port: port}
	var running *command
	in := bufio.NewReader(port)
	var begun []byte
	for ends := 0; ; {
		text, err := in.ReadBytes('\n')
		text = append(begun, text...)
		begun = nil
		if errors.Is(err, io.EOF) {
			if begun = text; ends < away {
				ends++
			} else if begun = nil; running != nil {
				running.abandon()
				running = nil
			}
			time.Sleep(idle)
			continue
		}
		ends = 0
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", path, err)
		}
		var r wire.Request
		if json.Unmarshal(text, &r) != nil {
			continue // the rest of a message that an earlier client began
		}
		running = handle(out, running, r)
	}
}

// handle does what one message asks for and gives the command that runs then.
func handle(out *line, running *command, r wire.Request) *command {
	switch r.Op {
	case wire.Ping:
		boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		out.answer(wire.Answer{ID: r.ID, Boot: strings.TrimSpace(string(boot)), Error: text(err)})
	case wire.Settle:
		out.answer(wire.Answer{ID: r.ID, Done: true, Error: text(settle(r.Time, r.Data))})
	case wire.Run:
		if running != nil {
			running.abandon()
		}
		next, err := start(out, r)
		if err != nil {
			out.answer(wire.Answer{ID: r.ID, Done: true, Status: 127, Error: err.Error()})
		}
		return next
	case wire.Input, wire.Close:
		if running != nil && running.id == r.ID {
			running.input(r.Data, r.Op == wire.Close)
		}
	}
	return running
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
