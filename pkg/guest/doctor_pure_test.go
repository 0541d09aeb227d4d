package guest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/hooks"
)

// wellGuest is a stopped guest that nothing is wrong with.
func wellGuest() *patient {
	return &patient{
		name: "web", dir: "/s/web", info: &Info{Name: "web", State: state.Stopped},
		id: &state.Identity{Name: "web", IDBase: 1000000, IDSize: 65536, Backend: "overlay"}, cfg: &spec.Guest{},
		files: map[string]fileFacts{".": {0, unix.S_IFDIR | 0o700}, "config.toml": {0, 0o644}, "state.json": {0, 0o600}},
		root:  rootFacts{mode: 0o755, init: "/sbin/init"},
	}
}

func TestGuestChecks(t *testing.T) {
	kills, ready := int64(2), true
	running := func(p *patient) { p.info.State = state.Running }
	failed := &state.Boot{Failure: &state.Failure{Step: "exec init", Message: "no such\nfile"}}
	var b strings.Builder
	for _, c := range []struct {
		name string
		make func(*patient)
	}{
		{"well", func(p *patient) {}},
		{"well and running", running},
		{"views unmounted", func(p *patient) { running(p); p.views = []string{"proc/meminfo", "proc/stat"} }},
		{"no identity", func(p *patient) {
			p.id, p.errID = nil, errors.New("cannot read state.json: the file is empty\nhint: x")
		}},
		{"odd config", func(p *patient) { p.errConfig = errors.New("web/config.toml:1:1: memory: unknown key") }},
		{"odd profile", func(p *patient) {
			p.errConfig = as(ErrConfig, &spec.ParseError{File: "/etc/sysct/profiles/small.toml", Line: 3, Column: 1, Field: "memori", Msg: "unknown key"})
		}},
		{"no profile", func(p *patient) {
			p.errConfig = as(ErrConfig, &spec.ParseError{File: "/s/web/config.toml", Line: 1, Column: 1, Field: "profiles[0]", Msg: "cannot read /p/nope.toml: there is no such file"})
		}},
		{"key in the guest's own file", func(p *patient) {
			p.errConfig = as(ErrConfig, &spec.ParseError{File: "/s/web/config.toml", Line: 1, Column: 1, Field: "memori", Msg: "unknown key"})
		}},
		{"no ids for nesting", func(p *patient) {
			p.errPlan = as(ErrConfig, fmt.Errorf("nesting: cannot allocate 1048576 ids for /s/web: %w, 1 in use\nhint: none", idledger.ErrFull))
		}},
		{"config that can't be", func(p *patient) { p.errPlan = errors.New("cpuset: no CPU 99") }},
		{"hook that isn't there", func(p *patient) {
			p.hook = &hooks.Error{Hook: hooks.PreStart, Path: "/etc/x y", Err: unix.ENOENT}
		}},
		{"odd destroy hook", func(p *patient) {
			p.hook = &hooks.Error{Hook: hooks.Destroy, Path: "/etc/x", Err: errors.New("it is a directory")}
		}},
		{"open directory", func(p *patient) { p.files["."] = fileFacts{0, unix.S_IFDIR | 0o755} }},
		{"config of another", func(p *patient) { p.files["config.toml"] = fileFacts{1000, 0o644} }},
		{"config for all", func(p *patient) { p.files["config.toml"] = fileFacts{0, 0o666} }},
		{"shared ids", func(p *patient) { p.overlap = &idledger.Entry{Base: 1000000, Size: 65536, Guest: "/s/db"} }},
		{"no image", func(p *patient) {
			p.errImage, p.errPlan = errors.New("cannot read image x"), errors.New("its image is missing")
		}},
		{"no layer", func(p *patient) {
			p.errLayer = errors.New("a layer that it shares with a clone is missing: stat /s/.layers/0a: no such file or directory")
		}},
		{"no rootfs", func(p *patient) { p.root = rootFacts{err: unix.ENOENT} }},
		{"empty rootfs", func(p *patient) { p.root, p.id.Backend = rootFacts{mode: 0o755, empty: true}, "dir" }},
		{"overlay that isn't shown", func(p *patient) { p.root = rootFacts{mode: 0o755, empty: true} }},
		{"shifted rootfs", func(p *patient) { p.root.uid = 100000 }},
		{"closed rootfs", func(p *patient) { p.root.mode = 0o700 }},
		{"no init", func(p *patient) { p.root.init = "" }},
		{"closed init", func(p *patient) { p.root.closed = true }},
		{"odd init", func(p *patient) { p.root.odd = "is a program for another machine (EM_S390)" }},
		{"old init", func(p *patient) { p.root.old = "is systemd 215" }},
		{"no monitor", func(p *patient) { running(p); p.errAsk = ErrState }},
		{"deaf monitor", func(p *patient) { running(p); p.errAsk = errors.New("timeout") }},
		{"masked unit", func(p *patient) { p.unit.masked = true }},
		{"failed unit of the host", func(p *patient) { p.unit.failed = true }},
		{"a failed boot", func(p *patient) { p.boot = failed }},
		{"a failed boot, and a good one", func(p *patient) { running(p); p.boot = failed; p.info.Ready = &ready }},
		{"failed units", func(p *patient) { running(p); p.units = []FailedUnit{{Name: "a.service"}, {Name: "b.mount"}} }},
		{"no memory", func(p *patient) {
			running(p)
			p.info.Usage = &Usage{OOMKills: &kills}
			memory := 512 * spec.MiB
			p.cfg.Limits.Memory = &memory
		}},
		{"no processes", func(p *patient) { running(p); p.info.Usage = &Usage{PidsPeak: &kills, PidsMax: &kills} }},
		{"long logs", func(p *patient) { p.logBytes = 300 << 20 }},
		{"protected", func(p *patient) { p.cfg.Protect = []string{"delete", "start"} }},
	} {
		p := wellGuest()
		c.make(p)
		fmt.Fprintf(&b, "# %s\n", c.name)
		for _, f := range examineGuest(p) {
			if f.Guest != "web" {
				t.Errorf("%+v", f)
			}
			fmt.Fprintf(&b, "%s %s: %s\n", f.Severity, f.Check, f.Found)
			if f.Why != "" {
				fmt.Fprintf(&b, "  why  %s\n", f.Why)
			}
			if f.Mend != "" {
				fmt.Fprintf(&b, "  mend %s\n", f.Mend)
			}
			if f.Severity != doctor.OK && f.Severity != doctor.Note && (f.Why == "" || f.Mend == "") {
				t.Errorf("it doesn't help: %+v", f)
			}
		}
	}
	want, err := os.ReadFile("testdata/doctor.golden")
	if err != nil || b.String() != string(want) {
		t.Errorf("testdata/doctor.golden differs (%v); got:\n%s", err, b.String())
	}
}

func TestOddPrograms(t *testing.T) {
	program := func(machine byte) string {
		return "\x7fELF\x02\x01" + strings.Repeat("\x00", 12) + string([]byte{machine, 0})
	}
	for _, c := range []struct{ head, arch, want string }{
		{program(62), "amd64", ""},
		{program(3), "amd64", ""},
		{"\x7fELF\x02\x01" + strings.Repeat("\x00", 12) + "\xb7\x00", "amd64", "another machine (EM_AARCH64)"},
		{"\x7fELF\x02\x02" + strings.Repeat("\x00", 12) + "\x00\x16", "amd64", "another machine (EM_S390)"},
		{program(62), "arm64", "another machine (EM_X86_64)"},
		{program(62), "unknown", ""},
		{"#!/bin/sh\nexec something", "amd64", ""},
		{"#!", "amd64", ""},
		{"", "amd64", "neither a program"},
		{"\x7fELF", "amd64", "neither a program"},
		{"a text that is long enough", "amd64", "neither a program"},
	} {
		if got := oddHead([]byte(c.head), c.arch); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%q on %s: %q, want %q", c.head, c.arch, got, c.want)
		}
	}
}

func TestOverlapOf(t *testing.T) {
	used := []idledger.Entry{{Base: 1000000, Size: 65536, Guest: "/s/a"}, {Base: 1065536, Size: 65536, Guest: "/s/b"}}
	for base, want := range map[uint32]string{1000000: "/s/a", 1065535: "/s/a", 1131072: "", 934464: "", 1131071: "/s/b"} {
		got := ""
		if e := overlapOf("/s/c", &state.Identity{IDBase: base, IDSize: 65536}, used); e != nil {
			got = e.Guest
		}
		if got != want {
			t.Errorf("%d: %q, want %q", base, got, want)
		}
	}
	if e := overlapOf("/s/a", &state.Identity{IDBase: 1000000, IDSize: 65536}, used); e != nil {
		t.Errorf("its own: %+v", e)
	}
}
