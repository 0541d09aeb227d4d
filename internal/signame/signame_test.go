package signame

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]unix.Signal{
		"SIGTERM": 15, "TERM": 15, "sigkill": 9, "Hup": 1, "9": 9, "64": 64,
		"SIGRTMIN": 34, "SIGRTMIN+4": 38, "rtmin+3": 37, "SIGRTMAX": 64, "RTMAX-1": 63, "SIGRTMIN+30": 64,
	} {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "SIG", "0", "-1", "65", "32", "33", "256", "09", "1e1", "+9", "0x9", "SIGSIGTERM", "SIGNOPE",
		"SIGRTMIN+31", "SIGRTMIN-1", "SIGRTMAX+1", "SIGRTMIN+", "SIGRTMIN++1", "TERM\n", " TERM", "\x1b[2J",
	} {
		sig, err := Parse(s)
		if err == nil {
			t.Errorf("Parse(%q) = %d", s, sig)
		} else if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("unescaped: %q", err)
		}
	}
}

func TestEverySignalIsReadBack(t *testing.T) {
	for sig := unix.Signal(1); sig <= rtMax; sig++ {
		if sig == 32 || sig == 33 {
			continue
		}
		if got, err := Parse(Name(sig)); err != nil || got != sig {
			t.Errorf("Parse(%q) = %d, %v; want %d", Name(sig), got, err, sig)
		}
	}
}
