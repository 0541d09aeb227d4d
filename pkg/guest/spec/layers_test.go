package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// site is a directory with profiles, and other files by their names.
func site(t *testing.T, files map[string]string) (*Layers, string) {
	t.Helper()
	// Only root's directories may be on the way: /tmp has the sticky bit.
	top, err := os.MkdirTemp("/var/tmp", "sysct-layers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	for name, text := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Layers{Profiles: top + "/profiles", Guests: top + "/lib"}, top
}

func TestLayers(t *testing.T) {
	l, top := site(t, map[string]string{
		"profiles/web.toml":   "include = [\"../more/net.toml\"]\nlimits.memory = \"64M\"\nenv = { A = \"web\", B = \"web\" }\ninit.cmd = [\"/a\", \"b\", \"c\"]\n",
		"profiles/small.toml": "limits.memory = \"32M\"\nlimits.pids = 50\n",
		"more/net.toml":       "limits.memory = \"1G\"\nnet = [{ type = \"host\" }]\nenv.C = \"net\"\n",
	})
	own := "include = [\"" + top + "/more/net.toml\"]\nprofiles = [\"web\", \"small\"]\nenv.A = \"own\"\ninit.cmd = [\"/own\"]\n"
	g, err := l.Parse([]byte(own), top+"/lib/g/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	if *g.Limits.Memory != 32*MiB || *g.Limits.Pids != 50 || fmt.Sprint(g.Env) != "map[A:own B:web C:net]" ||
		fmt.Sprint(g.Init.Cmd) != "[/own]" || len(g.Net) != 1 || len(g.Profiles) != 2 || len(g.Include) != 1 {
		t.Errorf("%+v", g)
	}
	values, err := l.Values([]byte(own), top+"/lib/g/config.toml", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		want, ok := map[string]string{
			"limits.memory": "profiles/small.toml", "env.A": "lib/g/config.toml", "env.B": "profiles/web.toml",
			"env.C": "more/net.toml", "net[0].type": "more/net.toml", "profiles": "lib/g/config.toml", "init.cmd": "lib/g/config.toml",
		}[v.Key]
		if ok && v.Origin != top+"/"+want {
			t.Errorf("%s is of %s, not %s", v.Key, v.Origin, want)
		}
		if !ok && v.Origin != "" && v.Key != "limits.pids" && v.Key != "include" {
			t.Errorf("%s is of %s", v.Key, v.Origin)
		}
	}
	// Only the guest's own file is edited, and other files don't count as changes.
	data, err := l.Edit([]byte(own), top+"/lib/g/config.toml", []Change{{Key: "profiles", Value: "small"}, {Key: "limits.memory", Unset: true}})
	if err != nil || string(data) != strings.Replace(own, `["web", "small"]`, `["small"]`, 1) {
		t.Errorf("edited: %q, %v", data, err)
	}
}

func TestBadLayers(t *testing.T) {
	deep := map[string]string{}
	for i := range 10 {
		deep[fmt.Sprintf("profiles/deep%d.toml", i)] = fmt.Sprintf("include = [\"deep%d.toml\"]\n", i+1)
	}
	deep["profiles/deep10.toml"] = ""
	files := map[string]string{
		"profiles/a.toml":           "include = [\"b.toml\"]\n",
		"profiles/b.toml":           "\ninclude = [\"a.toml\"]\n",
		"profiles/key.toml":         "\n\nmemori = 1\n",
		"profiles/little.toml":      "# little\n[limits]\nmemory = \"1K\"\n",
		"profiles/syntax.toml":      "x = \n",
		"profiles/open.toml":        "",
		"profiles/dir.toml/x":       "",
		"lib/other/rootfs/etc/toml": "",
		"profiles/new.toml":         "version = 9\n",
		"profiles/small.toml":       "limits.pids = 50\n",
		"profiles/twice.toml":       "profiles = [\"small\", \"small\"]\n",
	}
	for name, text := range deep {
		files[name] = text
	}
	l, top := site(t, files)
	if err := os.Chmod(top+"/profiles/open.toml", 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(top+"/lib/other/rootfs/etc/toml", top+"/profiles/tree.toml"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(top+"/profiles/theirs.toml", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(top+"/profiles/theirs.toml", 1000, 1000); err != nil {
		t.Fatal(err)
	}
	config := top + "/lib/g/config.toml"
	for own, want := range map[string]string{
		`profiles = ["a"]`:              "/profiles/b.toml:2:1: include[0]: files include one another: TOP/profiles/a.toml -> TOP/profiles/b.toml -> TOP/profiles/a.toml",
		`profiles = ["deep0"]`:          "files include one another more than 8 deep",
		`profiles = ["nope"]`:           "config.toml:1:1: profiles[0]: cannot read TOP/profiles/nope.toml: there is no such file",
		`profiles = ["small", "small"]`: `config.toml:1:1: profiles[1]: "small" is named twice: it is profiles[0] already`,
		`profiles = ["twice"]`:          `/profiles/twice.toml:1:`,
		`profiles = ["../a"]`:           `profiles[0]: "../a" is not the name of a profile`,
		`profiles = ["key"]`:            "/profiles/key.toml:3:1: memori: unknown key: did you mean limits.memory?",
		`profiles = ["little"]`:         "/profiles/little.toml:3:1: limits.memory: 1K is too little to boot",
		`profiles = ["syntax"]`:         "/profiles/syntax.toml:1:",
		`profiles = ["new"]`:            "/profiles/new.toml:1:1: version: schema version 9 is newer",
		`profiles = ["open"]`:           "open.toml can be written by others (mode 0666)",
		`profiles = ["theirs"]`:         "theirs.toml belongs to user 1000, not to root",
		`profiles = ["dir"]`:            "it is not a regular file",
		`profiles = ["tree"]`:           "it is in a guest's tree",
		`include = ["/dev/null"]`:       "it is not a regular file",
		`include = ["../o/rootfs/x"]`:   "it is in a guest's tree",
		`include = [""]`:                "",
	} {
		_, err := l.Parse([]byte(own+"\n"), config)
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(want, "TOP", top)) {
			t.Errorf("%s: %v, want %s", own, err, want)
		}
	}
	// What is protected stays so when the profile that says it can't be read.
	if err := os.MkdirAll(top+"/lib/g", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("profiles = [\"nope\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(top + "/lib/g")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if is, err := l.Protected(int(dir.Fd()), top+"/lib/g", ProtectDelete); !is || err == nil {
		t.Errorf("protected: %v, %v", is, err)
	}
}

// TestDifferences: what was noted of a configuration differs in nothing from it.
func TestDifferences(t *testing.T) {
	texts := []string{
		"", "env.A = \"\"", "limits.memory = \"64M\"\nenv.A = \"x\"", "console.ttys = 0\ncredentials.k = \"secret\"",
		"[[net]]\ntype = \"host\"", "[limits.hugepages]\n\"2M\" = \"4M\"",
	}
	for _, a := range texts {
		for _, b := range texts {
			ga, err := Parse([]byte(a), "a")
			if err != nil {
				t.Fatal(err)
			}
			gb, err := Parse([]byte(b), "b")
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, d := range Differences(Texts(ga), gb) {
				keys = append(keys, d.Key)
				if d.Secret != strings.HasPrefix(d.Key, "credentials.") {
					t.Errorf("%s is secret: %v", d.Key, d.Secret)
				}
			}
			if want := Diff(ga, gb); fmt.Sprint(keys) != fmt.Sprint(want) {
				t.Errorf("from %q to %q: %v, want %v", a, b, keys, want)
			}
		}
	}
}
