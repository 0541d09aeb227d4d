package spec

import (
	"bytes"
	"encoding/base64"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/rlimit"
	"github.com/sysct/sysct/pkg/guest/spec/internal/fielddoc"
	"pgregory.net/rapid"
)

// guests draws any configuration that Check takes.
func guests() *rapid.Generator[*Guest] {
	// Text as it may stand in a command or a variable: anything printable.
	text := rapid.StringOfN(rapid.RuneFrom([]rune("aZ09 \"'\\#=[]{}$%,.\u00e9\u4e2d\u2028\ufeff\ufffd\U0001f600")), 0, 12, -1)
	label := rapid.StringMatching(`[A-Za-z0-9_]([A-Za-z0-9_-]{0,5}[A-Za-z0-9_])?`)
	command := rapid.Custom(func(t *rapid.T) []string {
		return append([]string{"/" + text.Draw(t, "program")}, rapid.SliceOfN(text, 0, 4).Draw(t, "args")...)
	})
	return rapid.Custom(func(t *rapid.T) *Guest {
		g := Default()
		g.Hostname = strings.Join(rapid.SliceOfN(label, 0, 3).Draw(t, "hostname"), ".")
		g.Protect = rapid.SampledFrom([][]string{nil, {"delete"}, {"start", "delete"}}).Draw(t, "protect")
		g.Autostart = genAutostart(t)
		g.Ephemeral = len(g.Protect) == 0 && rapid.Bool().Draw(t, "ephemeral")
		g.Restart = rapid.SampledFrom([]string{"no", "on-failure"}).Draw(t, "restart")
		g.Init.Cmd = command.Draw(t, "cmd")
		g.Init.Halt = rapid.SampledFrom([]string{"auto", "SIGPWR", "SIGRTMIN+4"}).Draw(t, "halt")
		if rapid.Bool().Draw(t, "has ready_cmd") {
			g.Init.ReadyCmd = command.Draw(t, "ready_cmd")
		}
		g.Init.StopTimeout = Duration(rapid.Int64Range(0, int64(maxStopTimeout)).Draw(t, "stop_timeout"))
		if env := rapid.MapOf(rapid.StringMatching(`[A-Z_][A-Z0-9_]{0,5}`), text).Draw(t, "env"); len(env) > 0 {
			g.Env = env
		}
		g.Credentials = credentials(t, text)
		g.Hooks.PreStart, g.Hooks.Destroy = hook(t), hook(t)
		g.Limits = genLimits(t)
		g.Rlimits = genRlimits(t)
		g.OOMScoreAdj = rapid.IntRange(-1000, 1000).Draw(t, "oom_score_adj")
		genNets(t, g)
		g.Nesting = rapid.Bool().Draw(t, "nesting")
		if rapid.Bool().Draw(t, "device") {
			g.Device = []Device{{Type: "char", Major: rapid.Ptr(rapid.Int64Range(0, maxMajor), false).Draw(t, "major"),
				Access: rapid.SampledFrom([]string{"", "r", "wm"}).Draw(t, "access"), Optional: rapid.Bool().Draw(t, "optional")}}
		}
		g.Console.TTYs = rapid.IntRange(0, maxTTYs).Draw(t, "ttys")
		g.Console.LogSize = Bytes(rapid.Int64Range(int64(minLogSize), int64(maxLogSize)).Draw(t, "log_size"))
		g.Console.LogFiles = rapid.IntRange(1, maxLogFiles).Draw(t, "log_files")
		return g
	})
}

func genLimits(t *rapid.T) (l Limits) {
	size := func(least Bytes, label string) *Bytes {
		return rapid.Ptr(rapid.Map(rapid.Int64Min(int64(least)), func(n int64) Bytes { return Bytes(n) }), true).Draw(t, label)
	}
	number := func(most int64, label string) *int64 {
		return rapid.Ptr(rapid.Int64Range(1, most), true).Draw(t, label)
	}
	space := rapid.Map(rapid.Int64Min(0), func(n int64) Space { return Space(n) })
	l.Memory, l.MemoryHigh = size(minMemory, "memory"), size(minMemory, "memory_high")
	if l.MemoryMin = size(1, "memory_min"); l.Memory != nil && l.MemoryMin != nil && *l.MemoryMin > *l.Memory {
		l.MemoryMin = l.Memory
	}
	l.Swap = rapid.Ptr(space, true).Draw(t, "swap")
	quota := rapid.Map(rapid.Int64Range(int64(minQuota), maxCPUs*CPUPeriod), func(n int64) CPUQuota { return CPUQuota(n) })
	if l.CPUQuota = rapid.Ptr(quota, true).Draw(t, "cpu_quota"); l.CPUQuota != nil && rapid.Bool().Draw(t, "has cpu_burst") {
		l.CPUBurst = ptr(CPUQuota(rapid.Int64Range(int64(minQuota), int64(*l.CPUQuota)).Draw(t, "cpu_burst")))
	}
	if l.CPUSet = rapid.SampledFrom([]string{"", "0", "0-3,7"}).Draw(t, "cpuset"); l.CPUSet == "" {
		l.CPUs = number(maxCPUs, "cpus")
	}
	l.CPUWeight, l.Pids, l.IO.Weight = number(maxWeight, "cpu_weight"), number(maxPids, "pids"), number(maxWeight, "weight")
	for _, page := range []string{"2M", "1G"} {
		if n := space.Draw(t, page); n == 0 || n >= Space(GiB) {
			l.Hugepages = map[string]Space{page: n - n%Space(GiB)}
		}
	}
	for _, path := range rapid.SliceOfNDistinct(rapid.StringMatching(`/[a-z]{1,3}`), 0, 2, rapid.ID[string]).Draw(t, "disks") {
		d := IODevice{Path: path, Read: size(1, "read"), Write: size(1, "write"), ReadOps: number(1<<32-1, "read_ops"), WriteOps: number(5, "write_ops")}
		if d.Read == nil && d.Write == nil && d.ReadOps == nil {
			d.WriteOps = ptr(int64(7))
		}
		l.IO.Devices = append(l.IO.Devices, d)
	}
	return l
}

func genRlimits(t *rapid.T) map[string]Rlimit {
	limit := rapid.Custom(func(t *rapid.T) Rlimit {
		hard := rapid.SampledFrom([]uint64{rlimit.Infinity, 1<<63 - 1, 7, 0}).Draw(t, "hard")
		return Rlimit{Soft: min(hard, rapid.Uint64Range(0, 1<<63-1).Draw(t, "soft")), Hard: hard}
	})
	all := rapid.MapOfN(rapid.SampledFrom(rlimit.Names()), limit, 0, 3).Draw(t, "rlimits")
	if len(all) == 0 {
		return nil
	}
	return all
}

func genAutostart(t *rapid.T) Autostart {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z][A-Za-z0-9_-]{0,5}`), 0, 3, rapid.ID[string]).Filter(func(names []string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return CheckName(name) != nil })
	})
	list := func(label string) []string {
		if names := names.Draw(t, label); len(names) > 0 {
			return names
		}
		return nil
	}
	return Autostart{
		Enabled: rapid.Bool().Draw(t, "enabled"), Order: rapid.IntRange(-maxOrder, maxOrder).Draw(t, "order"),
		Delay:  Duration(rapid.Int64Range(0, int64(maxDelay)).Draw(t, "delay")),
		Groups: list("groups"), After: list("after"), Requires: list("requires"),
	}
}

func credentials(t *rapid.T, text *rapid.Generator[string]) map[string]Credential {
	one := rapid.Custom(func(t *rapid.T) Credential {
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return Credential{File: "/" + text.Draw(t, "file"), is: "file"}
		case 1:
			return Credential{Base64: base64.StdEncoding.EncodeToString([]byte(text.Draw(t, "data"))), is: "base64"}
		}
		return Credential{Text: text.Draw(t, "line") + "\n\t" + text.Draw(t, "text"), is: "text"}
	})
	all := rapid.MapOfN(rapid.StringMatching(`[a-z "#=.-]{1,8}x`), one, 0, 3).Draw(t, "credentials")
	if len(all) == 0 {
		return nil
	}
	return all
}

func hook(t *rapid.T) Commands {
	list := rapid.SliceOfN(rapid.StringMatching(`/[a-z]{1,5}( '[^'\x00-\x1f\x7f-\x{9f}]*'){0,2}`), 0, 3).Draw(t, "hook")
	if len(list) == 0 {
		return nil
	}
	return list
}

func TestWhatIsRenderedIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := guests().Draw(t, "guest")
		if err := g.Check(); err != nil {
			t.Fatalf("the generator is wrong: %v", err)
		}
		text := Render(g)
		got, err := Parse(text, "f")
		if err != nil || !reflect.DeepEqual(got, g) {
			t.Fatalf("%s\nbecame %+v, %v", text, got, err)
		}
	})
}

// Every key of the default file is a comment, and becomes right TOML without its #.
func TestCommentedKeysAreExamples(t *testing.T) {
	// Not together with cpuset; with network; not for a bridge; not with [[net]].
	others := []string{"cpus = 2", "parent = \"enp3s0\"", "mode = \"private\"", "vlan = 100", "net = \"web\""}
	var lines []string
	for line := range strings.Lines(string(Render(Default()))) {
		if key, ok := strings.CutPrefix(line, "# "); ok && (strings.Contains(key, " = ") || strings.HasPrefix(key, "[") && strings.HasSuffix(key, "]\n")) {
			line = key
		}
		if slices.Contains(others, strings.TrimSpace(line)) {
			continue
		}
		lines = append(lines, line)
	}
	got, err := Parse([]byte(strings.Join(lines, "")), "f")
	if err != nil {
		t.Fatalf("%v in\n%s", err, strings.Join(lines, ""))
	}
	want := Default()
	want.Hostname, want.Env = "web1.example.org", map[string]string{"LANG": "C.UTF-8"}
	want.Include, want.Profiles = []string{"/etc/sysct/small.toml"}, []string{"web"}
	want.Protect = []string{"delete"}
	want.Autostart = Autostart{Groups: []string{"db", "night"}, After: []string{"db"}, Requires: []string{"db"}}
	want.Init.ReadyCmd = []string{"/usr/bin/test", "-e", "/run/up"}
	want.Limits = Limits{
		Memory: ptr(512 * MiB), Swap: ptr(Space(256 * MiB)), MemoryHigh: ptr(448 * MiB), MemoryMin: ptr(64 * MiB),
		CPUQuota: ptr(CPUQuota(150_000)), CPUBurst: ptr(CPUQuota(50_000)), CPUSet: "0-1,4", CPUWeight: ptr(int64(200)), Pids: ptr(int64(1000)),
		Hugepages: map[string]Space{"2M": Space(64 * MiB)},
		IO: IO{Weight: ptr(int64(200)), Devices: []IODevice{{
			Path: "/var/lib/sysct", Read: ptr(50 * MiB), Write: ptr(20 * MiB), ReadOps: ptr(int64(1000)), WriteOps: ptr(int64(500)),
		}}},
	}
	want.Rlimits = map[string]Rlimit{"nofile": {1024, 65536}}
	want.Device = []Device{{Path: "/dev/snd/timer", Type: "char", Major: ptr(int64(116)), Minor: ptr(int64(33)), Access: "r", Target: "/dev/snd/timer", Mode: "0666"}}
	want.Net = []Net{{Type: "bridge", Name: "lan0", Network: "dmz", MAC: "02:5c:00:00:00:01", MTU: ptr(1400), Up: ptr(false),
		IPv4: []string{"192.168.1.10/24"}, IPv6: []string{"fd12:3456:789a::10/64"}, Gateway: "192.168.1.1", Filter: ptr(false),
		Limits: NetLimits{ptr(Rate(100e6)), ptr(Rate(20e6))}}}
	want.Publish = []Publish{{Port: ptr(8080), To: ptr(80), Proto: "udp", Address: "192.0.2.1"}}
	want.DNS = DNS{Servers: []string{"192.0.2.53", "2001:db8::53"}, Search: []string{"example.org"}, Write: true}
	want.Credentials = map[string]Credential{"firstboot.locale": {Text: "C.UTF-8", is: "text"}}
	for _, h := range got.Hooks.All() {
		if len(h.Commands) != 1 {
			t.Errorf("%s has no example: %v", h.Key, h.Commands)
		}
	}
	want.Hooks = got.Hooks
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// Whatever a manual says of a default is what the default is.
func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	for _, f := range GuestFields() {
		v, ok := reflect.ValueOf(Default()).Elem(), true
		for part := range strings.SplitSeq(f.Key, ".") {
			if v.Kind() == reflect.Struct && ok {
				v, ok = fieldOf(v, part)
			}
		}
		if ok && f.Default != "" && !isNone(v) && v.Kind() != reflect.Slice && literal(v) != f.Default {
			t.Errorf("%s: the default is %s, the manual says %s", f.Key, literal(v), f.Default)
		}
	}
}

func TestFieldTablesAreTheComments(t *testing.T) {
	want, err := fielddoc.Source(".")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("fields_gen.go"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("fields_gen.go is not what the comments say (%v): run go generate", err)
	}
}

// Every key of the structs has its manual, with what the kind of its value needs.
func TestEveryKeyHasItsManual(t *testing.T) {
	for _, c := range []struct {
		value  any
		fields []Field
	}{{Guest{}, GuestFields()}, {Host{}, HostFields()}, {Network{}, NetworkFields()}} {
		manual := map[string]Field{}
		for _, f := range c.fields {
			manual[f.Key] = f
		}
		checkManual(t, "", reflect.TypeOf(c.value), manual)
		if len(manual) != 0 {
			t.Errorf("manual of what is not there: %v", manual)
		}
	}
}

func checkManual(t *testing.T, prefix string, typ reflect.Type, manual map[string]Field) {
	t.Helper()
	for i := range typ.NumField() {
		key := prefix + typ.Field(i).Tag.Get("toml")
		f, kind := manual[key], typ.Field(i).Type
		delete(manual, key)
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		isTable := kind.Kind() == reflect.Struct
		if f.Summary == "" || !isTable && (f.Default == "" || f.Change == "") {
			t.Errorf("%s: incomplete: %+v", key, f)
		}
		if strings.Contains("size duration quota rate", f.Type) && f.Type != "" && f.Unit == "" {
			t.Errorf("%s: a %s without a unit", key, f.Type)
		}
		if isTable {
			checkManual(t, key+".", kind, manual)
		}
	}
}

func TestRenderedLinesAreShort(t *testing.T) {
	for line := range strings.Lines(string(Render(Default())) + string(RenderHost(DefaultHost()))) {
		if len(line) > 90 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
}

func TestChangesOfAnotherKindAreNamed(t *testing.T) {
	for change, want := range map[string]string{
		"restart": "# Default: 4.\n# A change counts from the guest's next start on.\n# ttys = 4\n",
		"live":    "# Default: 4.\n# A change counts at once.\n# ttys = 4\n",
	} {
		r := newRenderer([]Field{{Key: "console.ttys", Summary: "S", Default: "4", Change: change}}, "")
		r.key("console.ttys", reflect.ValueOf(4), reflect.ValueOf(4))
		if got := r.b.String(); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRenderGolden(t *testing.T) {
	g := Default()
	g.Init.StopTimeout = Duration(2 * time.Minute)
	g.Env = map[string]string{"B": `say "\"`, "A": "1"}
	for _, want := range []string{
		"\nversion = 1\n",
		"\n# Default: the guest's name.\n# hostname = \"web1.example.org\"\n",
		"\n# Unit: seconds, or a number with h, m, s or ms; 24h at most.\n# Default: \"60s\".\nstop_timeout = \"2m\"\n",
		"\n[env]\nA = \"1\"\nB = \"say \\\"\\\\\\\"\"\n",
		"\n# [[net]]\n",
		"\n# type = \"bridge\"\n",
		"\n# log_size = \"1M\"\n",
	} {
		if !strings.Contains(string(Render(g)), want) {
			t.Errorf("no %q in\n%s", want, Render(g))
		}
	}
}
