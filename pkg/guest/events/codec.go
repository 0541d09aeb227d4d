package events

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxLine bounds a line, its end included, in bytes: a page is written whole or not at
// all, and read in one go.
const maxLine = 4096

// Encode gives the line of an event, with its end. What is too long for a line is cut.
func Encode(e *Event) ([]byte, error) {
	short := e.bounded()
	if err := short.check(); err != nil {
		return nil, fmt.Errorf("cannot write event: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, cut := range []func(){
		func() {},
		func() { short.Values = nil },
		func() { short.Keys, short.Message = nil, "" }, // quotes and backslashes take two bytes each
	} {
		cut()
		b.Reset()
		if err := enc.Encode(&short); err != nil {
			return nil, fmt.Errorf("cannot write event: %w", err)
		}
		if b.Len() <= maxLine {
			break
		}
	}
	return b.Bytes(), nil
}

// Decode reads a line, with or without its end. Unknown fields are a newer version's and
// left out; a kind that isn't known is an error.
func Decode(line []byte) (*Event, error) {
	if len(line) > maxLine {
		return nil, fmt.Errorf("cannot read event: the line has %d bytes", len(line))
	}
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("cannot read event: %w", err)
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("cannot read event: %w", err)
	}
	return &e, nil
}

// seqOf is the number of a line; 0: it has none.
func seqOf(line []byte) uint64 {
	var e struct{ Seq uint64 }
	if json.Unmarshal(line, &e) != nil {
		return 0
	}
	return e.Seq
}
