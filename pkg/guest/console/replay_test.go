package console_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest/console"
	"pgregory.net/rapid"
)

func TestReplayableKeepsWhatShows(t *testing.T) {
	for _, s := range []string{
		"", "plain\r\n", "\x1b[1;31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[?1049h", "\x1b]0;title\x07", "\x1b]0;title\x1b\\",
		"\x1b(B", "\x1bM", "\x1b[>4n", "\x1b[22;0;0t", "\x1b[2;5$x", "\x1b[!p", "\x1b[4 q", "\x1b[=1;1u",
		"cut \x1b", "cut \x1b[", "cut \x1b[12", "cut \x1b]0;ti", "\x1bP1$r0m\x1b\\", "\x1b[3\x1b[m", "naïve ☺",
	} {
		if got := string(console.Replayable([]byte(s))); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestReplayableDropsQuestions(t *testing.T) {
	for _, s := range []string{
		"\x1b[6n", "\x1b[?6n", "\x1b[5n", "\x1b[c", "\x1b[0c", "\x1b[>c", "\x1b[=c", "\x1bZ", "\x05", "\x1b[x", "\x1b[?2026$p",
		"\x1b[>0q", "\x1b[?u", "\x1b[18t", "\x1b[14;2t", "\x1b]10;?\x07", "\x1b]11;?\x1b\\", "\x1b]52;c;?\x07", "\x1bP$qm\x1b\\",
		"\x1bP+q544e\x1b\\", "\x1b_Gi=1,a=q;AAAA\x1b\\", "\x1b[1$w", "\x1b[1;1;1;1;9;9*y",
	} {
		if got := string(console.Replayable([]byte("before" + s + "after"))); got != "beforeafter" {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// Whatever a guest writes, nothing but whole questions goes, and a second pass finds
// none in order.
func TestReplayableTakesAnything(t *testing.T) {
	part := rapid.SampledFrom([]string{"\x1b", "[", "]", "?", ";", "6", "n", "c", "P", "$", "q", "\\", "\x07", "\x05", "_", "text", "\n", "\x00", "\xff"})
	rapid.Check(t, func(rt *rapid.T) {
		in := strings.Join(rapid.SliceOf(part).Draw(rt, "in"), "")
		out := console.Replayable([]byte(in))
		if bytes.IndexByte(out, 0x05) >= 0 && !strings.Contains(in, "\x1b") {
			rt.Fatalf("%q became %q", in, out)
		}
		rest := in
		for _, b := range out {
			i := strings.IndexByte(rest, b)
			if i < 0 {
				rt.Fatalf("%q became %q: not a part of it", in, out)
			}
			rest = rest[i+1:]
		}
		for _, line := range console.Tail([]byte(in), 3) {
			if strings.ContainsAny(line, "\x1b\x07\x05\x00\n\r") {
				rt.Fatalf("%q has the line %q", in, line)
			}
		}
	})
}

func TestTail(t *testing.T) {
	in := "first\r\n[\x1b[32m  OK  \x1b[0m] Started \x1b]8;;x\x07unit\x1b]8;;\x07\r\n\r\n50%\r100%\r\nbad \xff\x00 byte\tend"
	for n, want := range map[int][]string{
		1: {"bad ? byte end"},
		3: {"[  OK  ] Started unit", "100%", "bad ? byte end"},
		9: {"first", "[  OK  ] Started unit", "100%", "bad ? byte end"},
		0: {},
	} {
		if got := console.Tail([]byte(in), n); !slices.Equal(got, want) {
			t.Errorf("%d: %q", n, got)
		}
	}
}
