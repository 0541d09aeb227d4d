// Package signame reads and prints signals by their names, real-time ones
// included, as kill(1) and systemd write them. It sends none.
package signame

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals as C programs see them: glibc keeps 32 and 33 for
// itself, so its SIGRTMIN, which systemd's man pages count from, is 34.
const (
	rtMin = 34
	rtMax = 64
)

// Parse reads a signal: SIGTERM, TERM, SIGRTMIN+4, RTMAX-1 in any case, or a
// number from 1 to 64 without 32 and 33. The error says what is wrong with s.
func Parse(s string) (unix.Signal, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && s[0] != '0' {
		if n <= rtMax && n != 32 && n != 33 {
			return unix.Signal(n), nil
		}
		return 0, fmt.Errorf("no signal has the number %d", n)
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if sig, ok := realTime(name); ok {
		return sig, nil
	}
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %.40q", s)
}

// realTime reads RTMIN, RTMIN+N, RTMAX and RTMAX-N.
func realTime(name string) (unix.Signal, bool) {
	base, sign := rtMin, "+"
	rest, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0, false
		}
		base, sign = rtMax, "-"
	}
	if rest == "" {
		return unix.Signal(base), true
	}
	digits, ok := strings.CutPrefix(rest, sign)
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || n > rtMax-rtMin {
		return 0, false
	}
	if sign == "-" {
		return unix.Signal(base - int(n)), true
	}
	return unix.Signal(base + int(n)), true
}

// Name prints a signal in the form that Parse reads: SIGTERM, SIGRTMIN+4, or the
// bare number if it has no name.
func Name(sig unix.Signal) string {
	switch {
	case sig == rtMin:
		return "SIGRTMIN"
	case sig > rtMin && sig <= rtMax:
		return fmt.Sprintf("SIGRTMIN+%d", int(sig)-rtMin)
	}
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return strconv.Itoa(int(sig))
}
