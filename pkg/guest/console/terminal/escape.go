package terminal

import (
	"bytes"
	"fmt"
)

// ctrlA is the key that users know.
const ctrlA = 'a' & 0x1f

// Escape is the key that begins a command to the console itself. The zero value is
// Ctrl+a.
type Escape struct {
	Key byte // 0: Ctrl+a
	Off bool // there is no such key
}

// ParseEscape reads what a user gives to -e: "^a" is Ctrl+a, "a" is the letter
// itself, "none" switches the escape off.
func ParseEscape(s string) (Escape, error) {
	switch {
	case s == "none":
		return Escape{Off: true}, nil
	case len(s) == 1 && s[0] > ' ' && s[0] < 0x7f:
		return Escape{Key: s[0]}, nil
	case len(s) == 2 && s[0] == '^':
		if key := upper(s[1]); key > '@' && key <= '_' {
			return Escape{Key: key & 0x1f}, nil
		}
	}
	return Escape{}, fmt.Errorf("cannot read escape key %q: want ^a to ^z, a single character or none", s)
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}

// letter is the key without Ctrl, in lower case.
func (e Escape) letter() byte {
	key := e.key()
	if key >= ' ' {
		return key
	}
	if b := key | 0x60; b >= 'a' && b <= 'z' {
		return b
	}
	return key | 0x40
}

func (e Escape) key() byte {
	if e.Key == 0 {
		return ctrlA
	}
	return e.Key
}

// String is the key as a user reads it: "Ctrl+a", "x" or "none".
func (e Escape) String() string {
	switch {
	case e.Off:
		return "none"
	case e.key() < ' ':
		return "Ctrl+" + string(e.letter())
	}
	return string(e.key())
}

// Banner is the line that a user is greeted with on tty number n; 0 is the console.
func Banner(n int, e Escape) string {
	tty := fmt.Sprintf("Connected to tty %d", n)
	if e.Off {
		return tty + ". There is no escape key; close the terminal or send SIGTERM to leave.\n"
	}
	return fmt.Sprintf("%s. Type <%s q> to exit the console, <%s %s> to send %s to the guest.\n", tty, e, e, e, e)
}

// filter takes commands out of what a user types:
//
//	        key              q: detach
//	text --------> armed ---- key, or its letter: the key itself
//	  ^              |------- anything else: that, without the key
//	  +--------------+
type filter struct {
	escape Escape
	armed  bool
}

// feed filters p in place and returns what is for the guest, and whether the user
// wants to leave; what was typed after that is dropped.
func (f *filter) feed(p []byte) (out []byte, detach bool) {
	if f.escape.Off {
		return p, false
	}
	out = p[:0]
	for len(p) > 0 {
		if f.armed {
			f.armed = false
			if p[0] == 'q' {
				return out, true
			}
			b := p[0]
			if b == f.escape.letter() {
				b = f.escape.key()
			}
			out, p = append(out, b), p[1:]
			continue
		}
		i := bytes.IndexByte(p, f.escape.key())
		if i < 0 {
			return append(out, p...), false
		}
		out, p = append(out, p[:i]...), p[i+1:]
		f.armed = true
	}
	return out, false
}
