package spec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/BurntSushi/toml"
	"pgregory.net/rapid"
)

// Whatever the file holds: no panic, one printable line of error, and what is taken
// can be written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "version = 1", string(Render(Default())), "[limits]\nmemory = '512M'\n", "[[net]]\ntype = 'host'", "x = [[[", "a.b.c = 1",
		"\"\\u0041\" = 1", "x = \"\"\"\"\"\"\"", "x = '''\n'''''", "[a]\n[a]", "x = {a = 1,\n}", "x = 1979-05-27 07:32:00", "\xef\xbb\xbf",
		"version = 2", "x = \"\\", "# \xff", "hostname = \"\\e\"", "a = 1 # \r\n", "[a.\"b.c\"]\n'd e' = inf", "[env]\n\"\\u001b\" = ''",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		guest, err := Parse(data, "f")
		if err != nil {
			var parseError *ParseError
			if !errors.As(err, &parseError) || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%T: %q", err, err)
			}
			return
		}
		if err := guest.Check(); err != nil {
			t.Fatalf("was read, but: %v", err)
		}
		again, err := Parse(Render(guest), "f")
		if err != nil || !reflect.DeepEqual(again, guest) {
			t.Fatalf("%+v became %+v, %v", guest, again, err)
		}
	})
}

// The scan that finds the places of keys, and bounds what the parser sees, agrees
// with the parser on all that is TOML: it goes to the end and finds every key.
func FuzzScanAgreesWithTheParser(f *testing.F) {
	for _, seed := range []string{
		string(Render(Default())), "a = 1\n[b]\nc = [1, 2, {d = 3, e.f = 4}]\n[[g]]\nh = 1\n[[g]]\n[g.i]\nj = 1", "x = \"\"\"a\\\"\"\"\"\"\"",
		"x = '''''a'''''", "x = \"\"\"\"\"", "'a.b' . \"c\" = [ # [\n]", "a = [\n{b = 1}, # }\n{b = 2,\n},]", "x = +1.5e-3\ny = 07:32:00.5", "x = \"\\\\\"\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkScan(t, text) })
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkScan(t failer, text string) {
	t.Helper()
	src := &source{file: "f", data: []byte(text)}
	keys := scanKeys(text)
	if src.checkText() != nil || keys.limit != nil {
		return
	}
	var table map[string]any
	meta, err := toml.Decode(text, &table)
	if err != nil {
		return
	}
	if keys.end != len(text) {
		t.Fatalf("stopped at byte %d of %q", keys.end, text)
	}
	names := map[string]bool{}
	for path := range keys.found {
		_, name, _ := cutLast(path)
		names[name] = true
	}
	for _, key := range meta.Keys() {
		_, name, _ := cutLast(joinPath("", key[len(key)-1]))
		if name = strings.TrimSuffix(name, "[0]"); !names[name] && !names[name+"[0]"] {
			t.Fatalf("no key %s (of %s) in %q: %v", name, key, text, keys.found)
		}
	}
}

// Random pieces of TOML meet more of its grammar than random bytes do.
func TestScanAgreesWithTheParser(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"a", "b", "'c'", `"d"`, `"\u0041"`, ".", "=", " = ", "1", "-1.5e3", "true", "1979-05-27 07:32:00", `"x"`, `'#'`, `"""`, `'''`, `"`, `'`,
		"[", "]", "[[", "]]", "{", "}", ",", "\n", "\n", "\n", "# x\n", " ", "\\", "\r\n", "a = 1\n", "[t]\n", "[[u]]\n", "k = [1, 2]\n", "i = {a = 1}\n",
	})
	rapid.Check(t, func(t *rapid.T) {
		checkScan(t, strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
	})
}

// Whatever the file and the change: no panic, and what is taken is right and differs
// from before in what was to change alone.
func FuzzEdit(f *testing.F) {
	for _, text := range []string{"", string(Render(Default())), "limits = {memory = '5M'}\n", "[[net]]\ntype = 'none'", "init.cmd = ['/x', # y\n]\r\n[env]\r\n"} {
		for _, change := range []string{"limits.memory=1G", "net[0].type=host", "env.A=\"", "init.cmd=a,b", "init.cmd=[\"/a\"]", "protect=", "ephemeral=true"} {
			f.Add([]byte(text), change)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		before, fault := Parse(data, "f")
		for _, change := range changesOf([]string{text, strings.SplitN(text, "=", 2)[0]}) {
			got, err := Edit(data, "f", []Change{change})
			if err != nil {
				continue
			}
			after, err := Parse(got, "f")
			if err != nil {
				t.Fatalf("%+v in %q: %q is wrong: %v", change, data, got, err)
			}
			if fault != nil {
				continue
			}
			for _, key := range Diff(before, after) {
				wanted, _, err := resolve(change.Key, GuestFields())
				if err != nil || !isBelow(key, wanted.String()) {
					t.Fatalf("%+v in %q changes %s too: %q", change, data, key, got)
				}
			}
		}
	})
}
