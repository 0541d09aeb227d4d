package fdstore

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	m := Parse([]byte("READY=1\nSTATUS=Startup finished in 2.1s.\nEXIT_STATUS=3\nnonsense\n=x\nSTATUS=a=b"))
	for _, c := range []struct {
		key, want string
		there     bool
	}{
		{"READY", "1", true},
		{"STATUS", "a=b", true}, // the last one counts
		{"EXIT_STATUS", "3", true},
		{"nonsense", "", false},
		{"", "", false},
	} {
		got, ok := m.Get(c.key)
		if got != c.want || ok != c.there {
			t.Errorf("Get(%q) = %q, %v; want %q, %v", c.key, got, ok, c.want, c.there)
		}
	}
	if !m.Has("READY", "1") || m.Has("READY", "0") || m.Has("STOPPING", "1") {
		t.Error("Has is wrong about READY or STOPPING")
	}
}

func TestFormatCannotForgeFields(t *testing.T) {
	data := Format("STATUS", "x\nREADY=1", "MAINPID", "7")
	m := Parse(data)
	if m.Has("READY", "1") {
		t.Errorf("%q says READY=1", data)
	}
	if !m.Has("MAINPID", "7") {
		t.Errorf("%q has no MAINPID=7", data)
	}
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"init", "ring-console", "tty1", strings.Repeat("a", 255)} {
		if !ValidName(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"", "a:b", "a b", "a\n", "\x7f", "é", strings.Repeat("a", 256)} {
		if ValidName(name) {
			t.Errorf("%q is taken", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=x"), "STATUS")
	f.Add([]byte("\n\n==\x00="), "=")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		m := Parse(data)
		if len(m.fields) > maxFields {
			t.Errorf("%d fields kept", len(m.fields))
		}
		if v, ok := m.Get(key); ok && !strings.Contains(string(data), v) {
			t.Errorf("%q is not from the message", v)
		}
	})
}
