package spec

import "strconv"

// Space is an amount like Bytes that may also be 0: none at all.
type Space int64

// ParseSpace reads an amount: "512M", "0".
func ParseSpace(s string) (Space, error) {
	if s == "0" {
		return 0, nil
	}
	b, err := ParseBytes(s)
	return Space(b), err
}

// String is the shortest text that ParseSpace reads as s.
func (s Space) String() string { return Bytes(s).String() }

// fromTOML takes a string or an integer, a number of bytes.
func (s *Space) fromTOML(value any) (err error) {
	if n, ok := value.(int64); ok {
		value = strconv.FormatInt(n, 10)
	}
	if text, ok := value.(string); ok {
		*s, err = ParseSpace(text)
		return err
	}
	var b Bytes
	return b.fromTOML(value)
}
