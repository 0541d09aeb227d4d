package figures

import (
	"bytes"

	"github.com/sysct/sysct/pkg/views"
)

// number reads the decimal number that text begins with, after blanks: "max" is
// views.None, and what is no number 0. More than fits is None too.
func number(text []byte) uint64 {
	text = bytes.TrimLeft(text, " \t")
	if bytes.HasPrefix(text, []byte("max")) {
		return views.None
	}
	n := uint64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		if n > (views.None-9)/10 {
			return views.None
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// field cuts the first word off, and gives what follows it.
func field(text []byte) (word, rest []byte) {
	text = bytes.TrimLeft(text, " \t")
	if i := bytes.IndexAny(text, " \t"); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// line cuts the first line off.
func line(text []byte) (first, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// keyed calls f with each key and number of a file of lines "key number". The
// key is whole: "file" isn't the beginning of "file_mapped".
func keyed(text []byte, f func(key []byte, n uint64)) {
	for len(text) > 0 {
		var l []byte
		l, text = line(text)
		if key, rest := field(l); len(key) > 0 && rest != nil {
			f(key, number(rest))
		}
	}
}
