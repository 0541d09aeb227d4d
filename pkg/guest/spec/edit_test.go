package spec

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/tomltext"
	"pgregory.net/rapid"
)

func TestEdit(t *testing.T) {
	const text = "# mine\nversion = 1\n\n[limits] # hard\n\tmemory = '64M' # enough\n\n[env]\nA = \"1\"\n"
	for name, c := range map[string]struct {
		changes []string // KEY=VALUE, or a key to unset
		want    string
	}{
		"a value":           {[]string{"limits.memory=256M"}, strings.Replace(text, "'64M'", `"256M"`, 1)},
		"a number":          {[]string{"limits.memory=67108864"}, strings.Replace(text, "'64M'", `67108864`, 1)},
		"several":           {[]string{"limits.pids=100", "env.A"}, "# mine\nversion = 1\n\n[limits] # hard\n\tmemory = '64M' # enough\n\tpids = 100\n\n[env]\n"},
		"a variable":        {[]string{"env.B=x = \"y\" \\"}, text + "B = \"x = \\\"y\\\" \\\\\"\n"},
		"a list of words":   {[]string{"init.cmd=/bin/sh, -c ,a b"}, text + "\n[init]\ncmd = [\"/bin/sh\", \"-c\", \"a b\"]\n"},
		"a list as in TOML": {[]string{`init.cmd=["/bin/sh", '-c', "a,b"]`}, text + "\n[init]\ncmd = [\"/bin/sh\", \"-c\", \"a,b\"]\n"},
		"an entry":          {[]string{"net[0].type=host"}, text + "\n[[net]]\ntype = \"host\"\n"},
		"an entry, plainly": {[]string{"net.0.type=host"}, text + "\n[[net]]\ntype = \"host\"\n"},
		"set and unset":     {[]string{"net[0].type=host", "net"}, text + "\n"},
		"a duration":        {[]string{"init.stop_timeout=5"}, text + "\n[init]\nstop_timeout = 5\n"},
		"nothing there":     {[]string{"hostname", "env.X", "net"}, text},
	} {
		got, err := Edit([]byte(text), "web/config.toml", changesOf(c.changes))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

func changesOf(texts []string) (changes []Change) {
	for _, text := range texts {
		change, err := ParseChange(text)
		if err != nil {
			change = Change{Key: text, Unset: true}
		}
		changes = append(changes, change)
	}
	return changes
}

func TestEditRefuses(t *testing.T) {
	const text = "[limits]\nmemory = \"64M\"\n"
	for _, c := range []struct{ change, want string }{
		{"limits.memory=1X", `limits.memory: "1X" has the unknown unit "X": use K, M, G or T, powers of 1024`},
		{"limits.memory=1K", "limits.memory: 1K is too little to boot: the least is 4M"},
		{"limits.memory=", "limits.memory: the size is empty"},
		{"limits.pids=many", `limits.pids: must be an integer, not "many"`},
		{"limits.pids=0", "limits.pids: 0 is too little: the least is 1"},
		{"restart=on-failur", `restart: "on-failur" is unknown: it must be "no" or "on-failure": did you mean "on-failure"?`},
		{"init.cmd=[", `init.cmd: "[" is not a list of strings: write ["a", "b"], or a,b`},
		{"init.cmd=[1]", `init.cmd: "[1]" is not a list of strings: write ["a", "b"], or a,b`},
		{"init.cmd=[]\nversion = 2", `init.cmd: "[]\nversion = 2" is not a list of strings: write ["a", "b"], or a,b`},
		{"init.cmd=", "init.cmd: is empty: it must name the guest's first program"},
		{"env.A=a\nb", "env.A: the control character U+000A is not allowed"},
		{"env.A=\xff", "env.A: the value is not UTF-8 text"},
		{"env.container=x", "env.container: sysct itself sets the variable container"},
		{"limits.memry=1G", "limits.memry: unknown key\nhint: did you mean limits.memory?"},
		{"memory=1G", "memory: unknown key\nhint: did you mean limits.memory?"},
		{"nothing.like.it=1", "nothing.like.it: unknown key"},
		{"limits=1G", "limits is a table\nhint: name a key in it: limits.memory, limits.swap, limits.memory_high, limits.memory_min, limits.cpus, limits.cpuset, limits.cpu_quota, limits.cpu_burst, limits.cpu_weight, limits.pids, limits.hugepages, limits.io"},
		{"limits", "limits is a table\nhint: name a key in it: limits.memory, limits.swap, limits.memory_high, limits.memory_min, limits.cpus, limits.cpuset, limits.cpu_quota, limits.cpu_burst, limits.cpu_weight, limits.pids, limits.hugepages, limits.io"},
		{"limits.cpus=0", "limits.cpus: 0 is too little: the least is 1"},
		{"limits.swap=-1", `limits.swap: "-1" is negative: a size must be more than 0`},
		{"limits.memory=max", "limits.memory: \"max\" is no value\nhint: for no limit remove the key: sysct unset NAME limits.memory"},
		{"limits.hugepages.2M=unlimited", "limits.hugepages.2M: \"unlimited\" is no value\nhint: for no limit remove the key: sysct unset NAME limits.hugepages.2M"},
		{"limits.hugepages.3M=0", `limits.hugepages.3M: "3M" is no size of huge pages: it is written as in "2M" or "1G"`},
		{"rlimits.nofil=5", `rlimits.nofil: "nofil" is no resource limit: did you mean nofile?`},
		{"rlimits.nofile=5:x", `rlimits.nofile: "5:x" is not a limit: write a number, "unlimited", or two with a colon between, as in "1024:4096"`},
		{"rlimits=5", "rlimits is a table\nhint: name a key in it, as in rlimits.NAME"},
		{"limits.io.device=5", "limits.io.device is a list of tables\nhint: name a key in it: limits.io.device[0].path, limits.io.device[0].read, limits.io.device[0].write, limits.io.device[0].read_ops, limits.io.device[0].write_ops"},
		{"limits.io.device[0].path=/dev/sda", "limits.io.device[0]: has no limit: it must have read, write, read_ops or write_ops"},
		{"limits.swap=1.5G", `limits.swap: "1.5G" is not a whole number: use a smaller unit`},
		{"env=A", "env is a table\nhint: name a key in it, as in env.NAME"},
		{"net=host", "net is a list of tables\nhint: name a key in it: net[0].type, net[0].name, net[0].network, net[0].parent, net[0].mode, net[0].vlan, net[0].mac, net[0].mtu, net[0].up, net[0].ipv4, net[0].ipv6, net[0].gateway, net[0].filter, net[0].isolate, net[0].limits"},
		{"net[0]=host", "net is a list of tables\nhint: name a key in it: net[0].type, net[0].name, net[0].network, net[0].parent, net[0].mode, net[0].vlan, net[0].mac, net[0].mtu, net[0].up, net[0].ipv4, net[0].ipv6, net[0].gateway, net[0].filter, net[0].isolate, net[0].limits"},
		{"net.type=host", "net is a list of tables: name an entry, as in net[0].type"},
		{"net.mtu=1400", "net is a list of tables: name an entry, as in net[0].mtu"},
		{"net[0].mtuu=1400", "net[0].mtuu: unknown key\nhint: did you mean net[0].mtu?"},
		{"ingress=1mbit", "ingress: unknown key\nhint: did you mean net[0].limits.ingress?"},
		{"net[0].limits=1mbit", "net.limits is a table\nhint: name a key in it: net[0].limits.ingress, net[0].limits.egress"},
		{"net[0].limits.ingress=1mb", `net[0].limits.ingress: "1mb" has the unknown unit "mb": use kbit, mbit or gbit, powers of 1000 bits a second`},
		{"publish[0].to=80", "publish[0].port: is missing: it must be a port of the host"},
		{"net[1].type=host", "net has 0 entries: the next is net[0]"},
		{"limits[0].memory=1G", "limits: limits has no entries that a key could name"},
		{"limits..memory=1G", `"limits..memory" is not a key: write it as in limits.memory`},
		{"env." + strings.Repeat("A", 300) + "=1", "env." + strings.Repeat("A", 96) + "…: a key with its tables is longer than 256 bytes"},
		{"version=2", "version: schema version 2 is newer than the 1 that this sysct knows: use a newer sysct"},
	} {
		got, err := Edit([]byte(text), "web/config.toml", changesOf([]string{c.change}))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %q, %v", c.change, got, err)
		}
	}
	// A file that is wrong can be mended, but not kept wrong.
	if got, err := Edit([]byte("hostname = 1\n"), "f", changesOf([]string{"hostname=web"})); err != nil || string(got) != "hostname = \"web\"\n" {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		"\nhostname = [\n": "f:", "\ufeffhostname = 'x'\n": "f:1:1: begins with a byte order mark: save it as plain UTF-8",
		"hostname = 'x'\nhostname = 'y'\n":                "f:2:1: hostname: duplicate key: first set in line 1",
		"[limits]\npids = 9\n\n[limits]\nmemory = '1G'\n": "f:4:1: limits: duplicate key: first set in line 1",
	} {
		if _, err := Edit([]byte(text), "f", changesOf([]string{"hostname=web", "limits.pids=7"})); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Edit([]byte("\nhostname = 1\n"), "f", changesOf([]string{"limits.pids=1"})); err == nil || err.Error() != "f:2:1: hostname: must be a string, not an integer" {
		t.Error(err)
	}
}

// What is set, and only that, is what a reader of the file sees; what is printed of a
// value can be set again; and what was set and is unset leaves the file as it was.
func TestEditIsWhatReadersSee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := guests().Draw(t, "from"), guests().Draw(t, "to")
		from.Credentials, to.Credentials = nil, nil                                 // a key of another kind takes the place of one only when that is unset
		from.Rlimits, from.Limits.Hugepages, from.Limits.IO.Devices = nil, nil, nil // set removes none
		from.Net, from.Publish = nil, nil
		if len(to.Device) < len(from.Device) {
			to.Device = from.Device
		}
		text := Render(from)
		var changes []Change
		wanted, err := Values(Render(to), "f", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range wanted {
			changes = append(changes, Change{Key: v.Key, Value: v.Text, Unset: v.Text == ""})
		}
		for name := range from.Env {
			if _, ok := to.Env[name]; !ok {
				changes = append(changes, Change{Key: "env." + name, Unset: true})
			}
			if to.Env[name] == "" {
				delete(to.Env, name)
			}
		}
		got, err := Edit(text, "f", changes)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		after, err := Parse(got, "f")
		for name, value := range to.Env {
			if value == "" {
				delete(to.Env, name)
			}
		}
		if len(to.Env) == 0 {
			to.Env = nil
		}
		if err != nil || !reflect.DeepEqual(after, to) {
			t.Fatalf("%s\nbecame\n%s: %+v, %v", text, got, after, err)
		}
		comments := func(text []byte) []string {
			return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return !strings.HasPrefix(line, "#") })
		}
		if !slices.Equal(comments(text), comments(got)) {
			t.Fatalf("comments of\n%s\naren't those of\n%s", got, text)
		}
	})
}

func TestUnsetTakesAllHugepages(t *testing.T) {
	for _, text := range []string{
		"[limits.hugepages]\n2M = \"4M\"\n1G = 0\n[limits.io]\nweight = 7\n",
		"limits.hugepages = { 2M = \"4M\" }\nlimits.io.weight = 7\n",
		"limits.hugepages.2M = \"4M\"\nlimits.io.weight = 7\n",
	} {
		got, err := Edit([]byte("version = 1\n"+text), "f", []Change{{Key: "limits.hugepages", Unset: true}})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		g, err := Parse(got, "f")
		if err != nil || len(g.Limits.Hugepages) > 0 || g.Limits.IO.Weight == nil {
			t.Errorf("%s: %v, %s", text, err, got)
		}
	}
}

func TestUnsetTakesSetBack(t *testing.T) {
	text := Render(Default())
	for _, v := range []string{"hostname=web", "limits.memory=1G", "init.ready_cmd=/bin/true", "env.A=1", "console.ttys=2", "restart=on-failure", "net[0].type=host"} {
		set := changesOf([]string{v})
		got, err := Edit(text, "f", set)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(got), "\n") - strings.Count(string(text), "\n"); lines > 2 {
			t.Errorf("%s added %d lines", v, lines)
		}
		key := strings.TrimSuffix(set[0].Key, ".type")
		back, err := Edit(got, "f", []Change{{Key: key, Unset: true}})
		if err != nil || string(back) != string(text) {
			t.Errorf("%s: %v, %s", v, err, back)
		}
	}
}

func TestValues(t *testing.T) {
	text := "[limits]\nmemory = \"1G\"\ncpu_quota = 1.5\n[limits.hugepages]\n2M = 0\n[[limits.io.device]]\npath = '/x'\nread = 5\n[rlimits]\nnofile = '1:2'\ncore = 'unlimited'\n[env]\nB = \"2\"\nA = \"1\"\n[[net]]\ntype = \"none\"\n"
	all, err := Values([]byte(text), "f", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range all {
		got = append(got, v.Key+"="+v.Text+map[bool]string{true: "!"}[v.Set])
	}
	want := "version=1 hostname= restart=no init.cmd=[\"/sbin/init\"] init.halt=auto init.ready_cmd= init.stop_timeout=60s env.A=1! env.B=2! " +
		"limits.memory=1G! limits.cpu_quota=150%! limits.cpuset= limits.pids= limits.hugepages.2M=0! limits.io.weight= limits.io.device[0].path=/x! limits.io.device[0].read=5! rlimits.core=unlimited! rlimits.nofile=1:2! net[0].type=none! console.ttys=4 console.log_size=1M console.log_files=4"
	// Keys that a later version adds may stand between these.
	for _, w := range strings.Split(want, " ") {
		if !slices.Contains(got, w) {
			t.Errorf("%s is missing in %q", w, got)
		}
	}
	for key, want := range map[string]string{"limits": "1G      150%    0  /x 5   ", "env": "1 2", "net": strings.TrimSpace("none") + strings.Repeat(" ", 12) + " false  ", "net.0.type": "none", "env.C": "", "limits.memory": "1G", "init.cmd": `["/sbin/init"]`, "net[1].type": ""} {
		values, err := Values([]byte(text), "f", key)
		var texts []string
		for _, v := range values {
			texts = append(texts, v.Text)
		}
		if err != nil || strings.Join(texts, " ") != want {
			t.Errorf("%s: %q, %v", key, texts, err)
		}
	}
	if v, err := Values([]byte(text), "f", "limits.cpu_quota"); err != nil || v[0].Value != 1.5 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := Values([]byte(text), "f", "limits.mem"); err == nil {
		t.Error("an unknown key has a value")
	}
}

// An edit that changed more than it was to is not written.
func TestOnlyThese(t *testing.T) {
	changed := Default()
	changed.Hostname, changed.Console.TTYs = "web", 1
	key, _, err := resolve("hostname", GuestFields())
	if err != nil {
		t.Fatal(err)
	}
	if err := onlyThese(Default(), changed, []tomltext.Key{key}); err == nil || err.Error() != "cannot change hostname without changing console.ttys: edit the file" {
		t.Error(err)
	}
	changed.Console.TTYs = Default().Console.TTYs
	if err := onlyThese(Default(), changed, []tomltext.Key{key}); err != nil {
		t.Error(err)
	}
}

// An entry of a list is made by some of its keys; the others aren't changed by that.
func TestEditMakesAnEntry(t *testing.T) {
	checkEntry(t, "limits.io.device[0].path=/x", "limits.io.device[0].read=1M")
	checkEntry(t, "device[0].path=/dev/net/tun")
	checkEntry(t, "device[0].path=/dev/net/tun", "device[0].uid=7", "device[0].optional=true")
}

// checkEntry makes and removes an entry with these keys.
func checkEntry(t *testing.T, pairs ...string) {
	t.Helper()
	text, err := Edit(nil, "f", changesOf(pairs))
	if err != nil {
		t.Fatal(err)
	}
	before, err := Parse(nil, "f")
	if err != nil {
		t.Fatal(err)
	}
	after, err := Parse(text, "f")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, pair := range pairs {
		key, _, _ := strings.Cut(pair, "=")
		want = append(want, key)
	}
	if got := Diff(before, after); !slices.Equal(got, want) {
		t.Errorf("made: %q", got)
	}
	removed := Diff(after, before)
	if slices.Sort(want); !slices.Equal(removed, want) {
		t.Errorf("removed: %q", removed)
	}
	for _, from := range []*Guest{before, after} {
		for _, to := range []*Guest{before, after} {
			var keys []string
			for _, d := range Differences(Texts(from), to) {
				keys = append(keys, d.Key)
			}
			if slices.Sort(keys); from != to && !slices.Equal(keys, want) || from == to && keys != nil {
				t.Errorf("noted: %q, not %q", keys, want)
			}
		}
	}
}
