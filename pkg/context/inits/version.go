package inits

import "bytes"

// unifiedSince is the first systemd that runs on control groups v2 alone.
// Source: systemd's NEWS, 232.
const unifiedSince = 232

// libraryVersion finds the version in the name of the library that systemd
// shares with its tools: systemd 231 and later need it by name.
func libraryVersion(program []byte) int {
	_, rest, _ := bytes.Cut(program, []byte("libsystemd-shared-"))
	return number(rest)
}

// ownVersion finds what systemd prints as its version, a string of the
// program: "systemd 215", alone or with how it runs.
func ownVersion(program []byte) int {
	for {
		_, rest, found := bytes.Cut(program, []byte("systemd "))
		if !found {
			return 0
		}
		v := number(rest)
		after := bytes.TrimLeft(rest, "0123456789")
		if v != 0 && (bytes.HasPrefix(after, []byte{0}) || bytes.HasPrefix(after, []byte(" running in"))) {
			return v
		}
		program = rest
	}
}

// number reads up to four digits.
func number(text []byte) int {
	n := 0
	for _, c := range text[:min(len(text), 4)] {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}
