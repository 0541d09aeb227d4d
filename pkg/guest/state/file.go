package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sysct/sysct/internal/atomicfile"
)

// maxFile bounds both files, in bytes; a full one has some 500.
const maxFile = 64 << 10

// readFile reads a file of schema version `version` into v and refuses all else.
func readFile(dirfd int, name string, version int, v any) error {
	data, _, err := atomicfile.Read(dirfd, name, maxFile)
	if err != nil {
		return err
	}
	if err := decode(data, version, v); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return nil
}

var errEmpty = errors.New("the file is empty")

// decode is strict: the file is the program's own, so whatever is odd in it is
// damage, and a guess could start a guest with another's ids.
func decode(data []byte, version int, v any) error {
	if len(data) == 0 {
		return errEmpty
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return errors.New("the file is damaged: it is not text")
	}
	// The version alone first: the fields of a newer schema are not ours to judge.
	var head struct{ Version *int }
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&head); err != nil {
		return damaged(err)
	}
	if err := checkVersion(head.Version, version); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return damaged(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the file is damaged: more follows its end")
	}
	return nil
}

// damaged words an error of encoding/json, whose texts are one line and quote
// what they show of the input.
func damaged(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file is damaged: it ends too early")
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("the file is damaged: it is no object but %s", kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("the file is damaged: %s can't be %s", kind.Field, kind.Value)
	}
	return fmt.Errorf("the file is damaged: %w", err)
}

func checkVersion(got *int, want int) error {
	switch {
	case got == nil:
		return errors.New("the file is damaged: no version")
	case *got > want:
		return fmt.Errorf("schema version %d is newer than the %d that this sysct knows: use a newer sysct", *got, want)
	case *got != want:
		return fmt.Errorf("the file is damaged: schema version %d", *got)
	}
	return nil
}

// A writer is atomicfile.Write, or its like that doesn't sync.
type writer func(dirfd int, name string, data []byte, mode uint32) error

// writeFile replaces a file by v, readable by root alone.
func writeFile(write writer, dirfd int, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return write(dirfd, name, append(data, '\n'), 0o600)
}

// checkText refuses what a file of the program's own never has: these strings
// become parts of paths, and lines on a terminal.
func checkText(field, s string) error {
	if len(s) > 1024 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s: %.80q is not allowed", field, s)
	}
	return nil
}
