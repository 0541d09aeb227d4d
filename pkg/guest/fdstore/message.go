package fdstore

import (
	"bytes"
	"strings"
)

// Message is one datagram of the sd_notify protocol: assignments, a line
// each.
type Message struct {
	fields []field
}

type field struct{ key, value string }

// maxFields bounds what a message of a guest can make its reader remember.
const maxFields = 64

// Parse reads a datagram. What isn't an assignment is left out; a sender
// can't make it fail.
func Parse(data []byte) Message {
	var m Message
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		key, value, ok := bytes.Cut(line, []byte("="))
		if !ok || len(key) == 0 {
			continue
		}
		if len(m.fields) == maxFields {
			break
		}
		m.fields = append(m.fields, field{string(key), string(value)})
	}
	return m
}

// Get is the last value of a field, and whether it is there at all.
func (m Message) Get(key string) (string, bool) {
	for i := len(m.fields) - 1; i >= 0; i-- {
		if m.fields[i].key == key {
			return m.fields[i].value, true
		}
	}
	return "", false
}

// Has says whether a field is there with this value, as READY=1.
func (m Message) Has(key, value string) bool {
	v, ok := m.Get(key)
	return ok && v == value
}

// Format writes assignments, given as key, value, key, value, as a
// datagram. Newlines in a value become spaces: they would forge fields.
func Format(pairs ...string) []byte {
	var b bytes.Buffer
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString(pairs[i])
		b.WriteByte('=')
		b.WriteString(strings.ReplaceAll(pairs[i+1], "\n", " "))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// ValidName says whether systemd takes a name for a descriptor: up to 255
// printable ASCII characters without a colon, which separates names.
func ValidName(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f || name[i] == ':' {
			return false
		}
	}
	return true
}
