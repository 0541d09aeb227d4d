package spec

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/internal/signame"
)

// What else a guest can't use.
const (
	maxTTYs        = 12
	minLogSize     = 4 * KiB
	maxLogSize     = GiB
	maxLogFiles    = 100
	maxStopTimeout = Duration(24 * time.Hour)
	maxHostname    = 64
	maxText        = 64 << 10 // bytes of any string: the kernel takes twice that
)

// report takes a fault of the key at path.
type report func(path, format string, args ...any)

// checker is a configuration that knows what is impossible in it.
type checker interface{ check(fail report) }

// check reports the fault of c that stands first in the file.
func (src *source) check(c checker) error {
	d := &decoder{src: src}
	checkAll(c, d.fail)
	return d.err()
}

// Check says what is impossible in g, as Parse does, for a Guest that was put
// together by a program: Render writes only what passes.
func (g *Guest) Check() error {
	var first error
	checkAll(g, func(path, format string, args ...any) {
		if first == nil {
			first = errors.New(printable(path + ": " + fmt.Sprintf(format, args...)))
		}
	})
	return first
}

func checkAll(c checker, fail report) {
	checkStrings("", reflect.ValueOf(c), fail)
	c.check(fail)
}

// checkStrings refuses control characters in any string: they would be lines of
// their own in a generated file, or commands to a terminal.
func checkStrings(path string, v reflect.Value, fail report) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			checkStrings(path, v.Elem(), fail)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Credential]() {
			return // has its own check: it is no line, nor shown
		}
		for i := range v.NumField() {
			checkStrings(joinPath(path, v.Type().Field(i).Tag.Get("toml")), v.Field(i), fail)
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkStrings(indexPath(path, i), v.Index(i), fail)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			checkStrings(joinPath(path, key.String()), key, fail)
			checkStrings(joinPath(path, key.String()), v.MapIndex(key), fail)
		}
	case reflect.String:
		checkString(path, v.String(), fail)
	}
}

func checkString(path, s string, fail report) {
	switch i := strings.IndexFunc(s, unicode.IsControl); {
	case !utf8.ValidString(s):
		fail(path, "%s is not UTF-8 text", show(s))
	case len(s) > maxText:
		fail(path, "is longer than %d bytes", maxText)
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(s[i:])
		fail(path, "the control character %U is not allowed", r)
	}
}

func (g *Guest) check(fail report) {
	if g.Version != guestVersion {
		fail("version", "schema version %d is unknown: it must be %d", g.Version, guestVersion)
	}
	checkLayers(g, fail)
	if err := checkHostname(g.Hostname); g.Hostname != "" && err != nil {
		fail("hostname", "%s", err)
	}
	checkWord("restart", g.Restart, []string{"no", "on-failure"}, fail)
	for i, verb := range g.Protect {
		checkWord(indexPath("protect", i), verb, []string{ProtectDelete, ProtectStart}, fail)
		if verb == ProtectDelete && g.Ephemeral {
			fail(indexPath("protect", i), "an ephemeral guest is destroyed when it stops")
		}
	}
	g.Autostart.check(fail)
	g.Init.check(fail)
	for name := range g.Env {
		if err := checkVariable(name); err != nil {
			fail(joinPath("env", name), "%s", err)
		}
	}
	checkCredentials(g.Credentials, fail)
	g.Hooks.check(fail)
	g.Limits.check(fail)
	checkRlimits(g.Rlimits, fail)
	checkRange("oom_score_adj", g.OOMScoreAdj, -maxScore, maxScore, fail)
	checkDevices(g.Device, g.Privileged, fail)
	checkNets(g, fail)
	checkPublishes(g, fail)
	g.DNS.check(fail)
	g.Console.check(fail)
}

// checkHostname checks what sethostname(2) and the programs in a guest accept.
func checkHostname(name string) error {
	if len(name) > maxHostname {
		return fmt.Errorf("%s is too long: the most is %d characters", show(name), maxHostname)
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return fmt.Errorf("%s: a part between the points is empty", show(name))
		case !madeOf(label, letters+digits+"-_"):
			return fmt.Errorf("%s: only A-Z a-z 0-9 . - _ are allowed", show(name))
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return fmt.Errorf("%s: no part may begin or end with -", show(name))
		}
	}
	return nil
}

// checkWord refuses what isn't one of a few words.
func checkWord(path, got string, words []string, fail report) {
	if slices.Contains(words, got) {
		return
	}
	list := `"` + strings.Join(words, `" or "`) + `"`
	if got == "" {
		fail(path, "is missing: it must be %s", list)
	} else if near := nearest.Of(got, words); near != "" {
		fail(path, "%s is unknown: it must be %s: did you mean %q?", show(got), list, near)
	} else {
		fail(path, "%s is unknown: it must be %s", show(got), list)
	}
}

func (init *Init) check(fail report) {
	if len(init.Cmd) == 0 {
		fail("init.cmd", "is empty: it must name the guest's first program")
	} else if !filepath.IsAbs(init.Cmd[0]) {
		fail("init.cmd", "%s is not an absolute path", show(init.Cmd[0]))
	}
	if init.Halt != "auto" {
		if _, err := signame.Parse(init.Halt); err != nil {
			fail("init.halt", "%s is neither \"auto\" nor the name of a signal", show(init.Halt))
		}
	}
	if len(init.ReadyCmd) > 0 && init.ReadyCmd[0] == "" {
		fail("init.ready_cmd", "the command is empty")
	}
	checkRange("init.stop_timeout", init.StopTimeout, 0, maxStopTimeout, fail)
}

// checkVariable checks the name of an environment variable.
func checkVariable(name string) error {
	switch {
	case name == "" || !madeOf(name, letters+digits+"_") || madeOf(name[:1], digits):
		return fmt.Errorf("%s is not the name of a variable: it has letters, digits and _", show(name))
	case name == "container" || strings.HasPrefix(name, "container_") || name == "NOTIFY_SOCKET" || name == "CREDENTIALS_DIRECTORY":
		return fmt.Errorf("sysct itself sets the variable %s", name)
	}
	return nil
}

func (c *Console) check(fail report) {
	checkRange("console.ttys", c.TTYs, 0, maxTTYs, fail)
	checkRange("console.log_size", c.LogSize, minLogSize, maxLogSize, fail)
	checkRange("console.log_files", c.LogFiles, 1, maxLogFiles, fail)
}

func checkRange[T ~int | ~int64](path string, got, least, most T, fail report) {
	if got < least {
		fail(path, "%v is too little: the least is %v", got, least)
	} else if got > most {
		fail(path, "%v is too much: the most is %v", got, most)
	}
}

func (h *Host) check(fail report) {
	if h.Version != hostVersion {
		fail("version", "schema version %d is unknown: it must be %d", h.Version, hostVersion)
	}
	for _, dir := range []struct{ key, path string }{
		{"state_dir", h.StateDir}, {"run_dir", h.RunDir}, {"cache_dir", h.CacheDir}, {"log_dir", h.LogDir}, {"profiles_dir", h.ProfilesDir},
		{"networks_dir", h.NetworksDir},
	} {
		if dir.path != "" && (!filepath.IsAbs(dir.path) || filepath.Clean(dir.path) == "/") {
			fail(dir.key, "%s is not the absolute path of a directory of its own", show(dir.path))
		}
	}
	if err := CheckNetworkName(h.Network); h.Network != SubnetNone && err != nil {
		fail("network", "%s", err)
	}
}
