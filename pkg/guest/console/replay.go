package console

import (
	"bytes"
	"strings"
)

// Replayable is recorded output without what asks the terminal a question (where
// the cursor is, what it can do). A terminal answers by typing, and on a replay
// the answer would reach whatever reads the guest's tty now: most often a login
// prompt. All else is kept as it is.
func Replayable(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for len(p) > 0 {
		n := token(p)
		if !asks(p[:n]) {
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	return out
}

// Tail is the last n lines of recorded output as text: without escape sequences,
// control characters and empty lines, for a message about a guest that didn't
// start.
func Tail(p []byte, n int) []string {
	var text strings.Builder
	for len(p) > 0 {
		k := token(p)
		if p[0] != esc {
			text.Write(p[:k])
		}
		p = p[k:]
	}
	var lines []string
	for line := range strings.SplitSeq(text.String(), "\n") {
		if line = plain(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// plain is a line as a printer would leave it: what is before a carriage return is
// overwritten, other control characters are dropped, bytes that are no UTF-8 become
// question marks.
func plain(line string) string {
	line = strings.TrimRight(line, "\r \t")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
}

const (
	enq = 0x05
	bel = 0x07
	esc = 0x1b
)

// token is the length of what p begins with: a run of text, a single ENQ, or an
// escape sequence (ECMA-48, with xterm's BEL as the end of a string). A sequence
// that p cuts off is all of p.
func token(p []byte) int {
	switch p[0] {
	case enq:
		return 1
	case esc:
		return sequence(p)
	}
	if i := bytes.IndexAny(p, "\x05\x1b"); i > 0 {
		return i
	}
	return len(p)
}

func sequence(p []byte) int {
	if len(p) == 1 {
		return 1
	}
	switch p[1] {
	case '[':
		for i, b := range p[2:] {
			if b < 0x20 || b > 0x3f {
				if b < 0x20 || b > 0x7e {
					return i + 2 // broken off by a control character
				}
				return i + 3
			}
		}
		return len(p)
	case ']', 'P', 'X', '^', '_':
		return str(p)
	}
	for i, b := range p[1:] {
		if b < 0x20 || b > 0x2f {
			if b < 0x20 || b > 0x7e {
				return i + 1
			}
			return i + 2
		}
	}
	return len(p)
}

// str is the length of a control string: up to BEL or ESC \, or to any other ESC,
// which breaks it off.
func str(p []byte) int {
	i := bytes.IndexAny(p[2:], "\x07\x1b")
	switch {
	case i < 0:
		return len(p)
	case p[2+i] == bel:
		return 2 + i + 1
	case 2+i+1 < len(p) && p[2+i+1] != '\\':
		return 2 + i
	}
	return min(2+i+2, len(p))
}

// asks says whether a token makes a terminal answer.
func asks(tok []byte) bool {
	if tok[0] == enq {
		return true
	}
	if tok[0] != esc || len(tok) < 2 {
		return false
	}
	switch body := tok[2:]; tok[1] {
	case 'Z': // DECID
		return true
	case '[':
		return asksCSI(body)
	case 'P': // DECRQSS, XTGETTCAP
		return bytes.HasPrefix(body, []byte("$q")) || bytes.HasPrefix(body, []byte("+q"))
	case ']': // colours, clipboard
		return bytes.Contains(body, []byte(";?"))
	case '_': // graphics
		return true
	}
	return false
}

// asksCSI takes what follows ESC [.
func asksCSI(body []byte) bool {
	if len(body) == 0 {
		return false
	}
	final, args := body[len(body)-1], string(body[:len(body)-1])
	switch final {
	case 'c': // DA
		return true
	case 'n': // DSR; with > it sets a mode
		return !strings.HasPrefix(args, ">")
	case 'x': // DECREQTPARM; with $ it fills
		return !strings.HasSuffix(args, "$")
	case 'p': // DECRQM
		return strings.HasSuffix(args, "$")
	case 'w': // DECRQPSR
		return strings.HasSuffix(args, "$")
	case 'y': // DECRQCRA
		return strings.HasSuffix(args, "*")
	case 'q': // XTVERSION
		return strings.HasPrefix(args, ">")
	case 'u': // keyboard modes
		return strings.HasPrefix(args, "?")
	case 't': // window reports
		op, _, _ := strings.Cut(args, ";")
		return len(op) == 2 && op >= "11" && op <= "21"
	}
	return false
}
