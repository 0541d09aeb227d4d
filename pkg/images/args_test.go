package images

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func debianTemplate(t testing.TB) *Template {
	t.Helper()
	template, err := Find(nil, "debian")
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestParseArgs(t *testing.T) {
	for line, want := range map[string]map[string]string{
		"":                    {},
		"-r bookworm":         {"release": "bookworm"},
		"-rbookworm -a amd64": {"release": "bookworm", "arch": "amd64"},
		"--release=duke":      {"release": "duke"}, // a release that nobody has heard of yet
		"--include bb,aa":     {"include": "aa,bb"},
		"--include bb --include aa,bb --allow-expired": {"include": "aa,bb", "allow-expired": "true"},
		"--allow-expired=false -r sid":                 {"release": "sid"},
		"--init runit":                                 {"init": "runit"},
		"--mirror http://[::1]:80/debian":              {"mirror": "http://[::1]:80/debian"},
	} {
		full := map[string]string{"release": "trixie", "arch": "", "include": "", "mirror": "", "allow-expired": "", "init": "systemd"}
		for k, v := range want {
			full[k] = v
		}
		got, err := debianTemplate(t).parse(strings.Fields(line))
		if err != nil || !reflect.DeepEqual(got, full) {
			t.Errorf("%s: got %v, %v", line, got, err)
		}
	}
}

func TestRefusedArgs(t *testing.T) {
	for _, c := range []struct {
		args    []string
		problem string
	}{
		{[]string{"--relase", "sid"}, `unknown (did you mean "--release"?)`},
		{[]string{"--colour"}, "unknown (known: --release, --arch, --include, --mirror, --allow-expired, --init)"},
		{[]string{"-x"}, "unknown (known: --release, --arch, --include, --mirror, --allow-expired, --init)"},
		{[]string{"-r"}, "needs a value"},
		{[]string{"-r", ""}, "empty value"},
		{[]string{"-r", "trixi"}, `unknown value "trixi" (did you mean "trixie"?)`},
		{[]string{"-r", "-sid"}, `"-sid" is not a release name`},
		{[]string{"-r", "sid\nx"}, `"sid\nx" is not a release name`},
		{[]string{"-r", "../sid"}, `"../sid" is not a release name`},
		{[]string{"-r", "sid", "-r", "sid"}, "given twice"},
		{[]string{"sid"}, "an option is expected here"},
		{[]string{"--"}, "unknown (known: --release, --arch, --include, --mirror, --allow-expired, --init)"},
		{[]string{"--include", "vim,-oX=y"}, `"-oX=y" is not a package name`},
		{[]string{"--include", "$(id)"}, `"$(id)" is not a package name`},
		{[]string{"--include", "a1,,b1"}, `"" is not a package name`},
		{[]string{"--mirror", "file:///srv"}, `"file:///srv" is not an http or https URL`},
		{[]string{"--mirror", "http://a.example/x main\ndeb http://b.example y"}, `"http://a.example/x main\ndeb http://b.example y" is not an http or https URL`},
		{[]string{"--mirror", "--x"}, `"--x" is not an http or https URL`},
		{[]string{"--init", "runt"}, `unknown value "runt" (did you mean "runit"?)`},
		{[]string{"--init=upstart"}, `unknown value "upstart" (known: systemd, sysvinit, openrc, runit, s6)`},
		{[]string{"--allow-expired=maybe"}, `"maybe" is not true or false`},
	} {
		_, err := debianTemplate(t).Recipe(c.args)
		var problem *ArgError
		if !errors.As(err, &problem) || problem.Problem != c.problem {
			t.Errorf("%q: %v, want %s", c.args, err, c.problem)
		}
	}
}

// Whatever the user writes: no panic, and nothing comes through that could end a word or begin an option.
func TestAnyArgs(t *testing.T) {
	template := debianTemplate(t)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"-r", "--include", "--mirror", "-a", "--release=", "--allow-expired"}))
		values, err := template.parse(rapid.SliceOfN(word, 0, 5).Draw(t, "args"))
		if err != nil {
			return
		}
		for option, value := range values {
			if strings.HasPrefix(value, "-") || strings.ContainsAny(value, " \t\n\r\x00'\"`$\\;&|<>#") {
				t.Fatalf("%s=%q", option, value)
			}
		}
	})
}
