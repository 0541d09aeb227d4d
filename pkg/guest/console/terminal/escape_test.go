package terminal

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseEscape(t *testing.T) {
	for in, want := range map[string]string{
		"^a": "Ctrl+a", "^A": "Ctrl+a", "^z": "Ctrl+z", "^]": "Ctrl+]", "^[": "Ctrl+[", "^_": "Ctrl+_", "none": "none", "a": "a", "~": "~", "^": "^",
	} {
		if e, err := ParseEscape(in); err != nil || e.String() != want {
			t.Errorf("%q: %v, %v", in, e, err)
		}
	}
	for _, in := range []string{"", " ", "ab", "^^^", "^1", "^@", "\x01", "é", "None", "^é"} {
		if e, err := ParseEscape(in); err == nil {
			t.Errorf("%q: %v", in, e)
		}
	}
}

func TestBanner(t *testing.T) {
	want := "Connected to tty 1. Type <Ctrl+a q> to exit the console, <Ctrl+a Ctrl+a> to send Ctrl+a to the guest.\n"
	if got := Banner(1, Escape{}); got != want {
		t.Errorf("got %q", got)
	}
	if got := Banner(0, Escape{Off: true}); !strings.HasPrefix(got, "Connected to tty 0. ") || strings.Contains(got, "<") {
		t.Errorf("got %q", got)
	}
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		escape, in, out string
		detach          bool
	}{
		{"^a", "plain\x00\xff", "plain\x00\xff", false},
		{"^a", "x\x01qy", "x", true},
		{"^a", "\x01\x01", "\x01", false},
		{"^a", "\x01a", "\x01", false},
		{"^a", "\x01\x01q", "\x01q", false},
		{"^a", "\x01\x01\x01q", "\x01", true},
		{"^a", "\x01bq", "bq", false},
		{"^a", "\x01", "", false},
		{"^b", "\x01q\x02b\x02q", "\x01q\x02", true},
		{"~", "a~~b~q", "a~b", true},
		{"q", "qq", "", true},
		{"none", "\x01q", "\x01q", false},
	} {
		e, err := ParseEscape(c.escape)
		if err != nil {
			t.Fatal(err)
		}
		f := filter{escape: e}
		if out, detach := f.feed([]byte(c.in)); string(out) != c.out || detach != c.detach {
			t.Errorf("%s %q: %q, %v, want %q, %v", c.escape, c.in, out, detach, c.out, c.detach)
		}
	}
}

// However a terminal cuts the input into reads, the result is the same.
func TestFilterInPieces(t *testing.T) {
	key := rapid.SampledFrom([]byte("\x01\x01qab"))
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.SliceOf(key).Draw(rt, "in")
		var whole, pieces filter
		want, wantDetach := whole.feed(append([]byte(nil), in...))
		var got []byte
		detach := false
		for rest := in; len(rest) > 0 && !detach; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "n")
			var out []byte
			out, detach = pieces.feed(append([]byte(nil), rest[:n]...))
			got, rest = append(got, out...), rest[n:]
		}
		if string(got) != string(want) || detach != wantDetach {
			rt.Fatalf("%q: %q, %v, want %q, %v", in, got, detach, want, wantDetach)
		}
	})
}
