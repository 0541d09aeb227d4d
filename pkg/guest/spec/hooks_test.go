package spec

import (
	"reflect"
	"strings"
	"testing"
)

func TestCommandLinesAreTakenApart(t *testing.T) {
	for line, want := range map[string][]string{
		"/a":                 {"/a"},
		" /a  b\tc ":         {"/a", "b", "c"},
		`/a 'b c' "d 'e" ''`: {"/a", "b c", "d 'e", ""},
		`/a --x='1 2'y`:      {"/a", "--x=1 2y"},
		`/a \ $x | ;`:        {"/a", `\`, "$x", "|", ";"},
		"":                   nil,
	} {
		if got, err := splitCommand(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
	if got, err := splitCommand(`/a 'b`); err == nil {
		t.Errorf("an open quote: %q", got)
	}
}

func TestWrongHooksAndCredentials(t *testing.T) {
	for text, want := range map[string]string{
		`hooks.pre_start = ""`:                         `hooks.pre_start: the command is empty`,
		`hooks.pre_start = "x y"`:                      `hooks.pre_start: "x" is not an absolute path`,
		`hooks.stop = ["/a", "b"]`:                     `hooks.stop[1]: "b" is not an absolute path`,
		`hooks.stop = ["/a", 1]`:                       `hooks.stop: must be a command, or an array of them`,
		`hooks.stop = 1`:                               `hooks.stop: must be a command, or an array of them`,
		`hooks.stop = "/a 'b"`:                         `a ' is not closed`,
		"hooks.stop = \"/a\\nb\"":                      `control character`,
		`hooks.timeout = 0`:                            `hooks.timeout: 0s is too little: the least is 1s`,
		`hooks.timeout = "2h"`:                         `hooks.timeout: 2h is too much`,
		`hooks.pre-start = "/a"`:                       `did you mean pre_start?`,
		`hooks = "/a"`:                                 `hooks: must be a table`,
		`credentials = "x"`:                            `credentials: must be a table`,
		`credentials."a/b" = "x"`:                      `is not the name of a credential`,
		`credentials."a:b" = "x"`:                      `is not the name of a credential`,
		`credentials.".." = "x"`:                       `is not the name of a credential`,
		`credentials."é" = "x"`:                        `is not the name of a credential`,
		`credentials.a = 1`:                            `credentials.a: must be a text, { file = "/path" }`,
		`credentials.a = { file = "x" }`:               `"x" is not an absolute path`,
		`credentials.a = { file = "/x", base64 = "" }`: `credentials.a: must be a text`,
		`credentials.a = { path = "/x" }`:              `unknown key "path"`,
		`credentials.a = { base64 = "%" }`:             `credentials.a: is not base64`,
	} {
		_, err := Parse([]byte(text), "f")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v", text, err)
		}
	}
}

func TestCredentialsAreBounded(t *testing.T) {
	g := Default()
	g.Credentials = map[string]Credential{"a": {Text: strings.Repeat("x", 600<<10), is: "text"}, "b": {Text: strings.Repeat("y", 424<<10), is: "text"}}
	if err := g.Check(); err == nil || !strings.Contains(err.Error(), "credentials: are 1048578 bytes: the most is 1048576") {
		t.Error(err)
	}
	g.Credentials["b"] = Credential{Text: strings.Repeat("y", 424<<10-2), is: "text"}
	if err := g.Check(); err != nil {
		t.Error(err)
	}
}

func TestSetAndGetOfHooksAndCredentials(t *testing.T) {
	text := []byte("[credentials]\na = \"old\"\n")
	for _, c := range []string{
		"hooks.pre_start=/bin/a 'b, c'", `hooks.stop=["/x, y", "/z"]`, "hooks.timeout=5", "credentials.a=new\nline",
		"credentials.\"b.c\".file=/etc/x", "credentials.d.base64=AAE=",
	} {
		change, err := ParseChange(c)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = Edit(text, "f", []Change{change}); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
	for key, want := range map[string]string{
		"hooks.pre_start": "/bin/a 'b, c'", "hooks.stop": `["/x, y", "/z"]`, "credentials.a": "new\nline",
		`credentials."b.c".file`: "/etc/x", "credentials.d.base64": "AAE=",
	} {
		got, err := Values(text, "f", key)
		if err != nil || len(got) != 1 || got[0].Text != want || !got[0].Set {
			t.Errorf("%s: %+v, %v\n%s", key, got, err, text)
		}
	}
	if text, err := Edit(text, "f", []Change{{Key: "credentials.a", Unset: true}}); err != nil || strings.Contains(string(text), "new") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestTimeOfHooksAfterTheEnd(t *testing.T) {
	g, err := Parse([]byte("[hooks]\ntimeout = 5\nstop = [\"/a\", \"/b\"]\npost_stop = \"/c\"\npre_start = \"/d\"\n"), "f")
	if err != nil || g.Hooks.EndTime().String() != "15s" {
		t.Errorf("%v, %v", g.Hooks.EndTime(), err)
	}
}
