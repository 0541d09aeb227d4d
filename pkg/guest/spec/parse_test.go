package spec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

func TestParseFull(t *testing.T) {
	got, err := Parse([]byte(`
version = 1
hostname = "web1.example.org"
restart = 'on-failure'
[init]
cmd = ["/sbin/init", "--x", "a b"] # comment
halt = "SIGRTMIN+4"
ready_cmd = [
  "/bin/true", # [ " {
]
stop_timeout = 90
[env]
LANG = "C.UTF-8"
"_A" = """x ' " y"""
[limits]
memory = "512M"
cpu_quota = 1.5
cpuset = "0-1"
pids = 1_000
[[net]]
type = "host"
[console]
ttys = 0
log_size = 8192
log_files = 1
[views]
meminfo = false
pressure = false
[hooks]
pre_start = "/bin/a 'b c' \"d\""
stop = ["/bin/x", "/bin/y"]
timeout = 5
[credentials]
a = """x
"""
"b.c".file = "/etc/x"
d = { base64 = "AAE=" }
`), "config.toml")
	want := &Guest{
		Version: 1, Hostname: "web1.example.org", Restart: "on-failure",
		Init: Init{
			Cmd: []string{"/sbin/init", "--x", "a b"}, Halt: "SIGRTMIN+4", ReadyCmd: []string{"/bin/true"},
			StopTimeout: Duration(90 * time.Second),
		},
		Env:     map[string]string{"LANG": "C.UTF-8", "_A": `x ' " y`},
		Limits:  Limits{Memory: ptr(512 * MiB), CPUQuota: ptr(CPUQuota(150_000)), CPUSet: "0-1", Pids: ptr(int64(1000))},
		Net:     []Net{{Type: "host"}},
		DNS:     DNS{Write: true},
		Console: Console{TTYs: 0, LogSize: 8 * KiB, LogFiles: 1},
		Views:   Views{Enabled: true, CPUInfo: true, Stat: true, Uptime: true, Loadavg: true, Swaps: true, Diskstats: true, CPUs: true, Sysinfo: true},
		Hooks:   Hooks{PreStart: Commands{`/bin/a 'b c' "d"`}, Stop: Commands{"/bin/x", "/bin/y"}, Timeout: Duration(5 * time.Second)},
		Credentials: map[string]Credential{"a": {Text: "x\n", is: "text"}, "b.c": {File: "/etc/x", is: "file"},
			"d": {Base64: "AAE=", is: "base64"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestNothingIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "\n", "# x", "version = 1", "[init]\n[limits]\n[env]\n", "net = []\n[init]\nready_cmd = []", "\r\n"} {
		if got, err := Parse([]byte(text), "f"); err != nil || !reflect.DeepEqual(got, Default()) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// Every fault is one line with file, line, column, key and reason.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		// syntax
		"a = ":                        "f:1:",
		"version = 1\nhostname":       "f:2:",
		"hostname = \"a":              "f:1:",
		"[limits\nmemory = 1":         "f:1:",
		"]":                           "f:1:",
		"version = 1 2":               "f:1:",
		"[limits]\nmemory = 512M":     `f:2:13: limits.memory: `,
		"[limits]\nmemory =512M # x":  `a value with a unit is written in quotes: "512M"`,
		"[limits]\ncpu_quota = 150%":  `a value with a unit is written in quotes: "150%"`,
		"[limits]\nmemory = 1.5G":     `f:2:`,
		"a = \"\\q\"":                 "f:1:",
		"\x00\x00":                    "f:1:",
		"hostname = \"a\x1b[2J\"":     "f:1:",
		"hostname = 'a' \x07":         "f:1:",
		"[limits]\npids = 0123":       "f:2:",
		"[limits]\npids = 1__0":       "f:2:",
		"[limits]\nmemory = 2e400":    "f:2:",
		"pids = 99999999999999999999": "f:1:",
		// unknown keys
		"[limits]\nmemroy = 1":                 "f:2:1: limits.memroy: unknown key: did you mean memory?",
		"version = 1\n\n  hostnme = \"x\"":     "f:3:3: hostnme: unknown key: did you mean hostname?",
		"[limit]\nmemory = \"1G\"":             "f:1:1: limit: unknown key: did you mean limits?",
		"Hostname = \"x\"":                     "f:1:1: Hostname: unknown key: did you mean hostname?",
		"memory = \"1G\"":                      "f:1:1: memory: unknown key: it belongs in the table limits",
		"[limits]\nhostname = \"x\"":           "f:2:1: limits.hostname: unknown key: it belongs before the first table",
		"xyz = 1":                              "f:1:1: xyz: unknown key",
		"[[net]]\ntype = \"none\"\nports = 1":  "f:3:1: net[0].ports: unknown key",
		"net = [\n {type=\"none\", tpye=1} ]":  "f:2:16: net[0].tpye: unknown key: did you mean type?",
		"init = { cmd = [\"/i\"], hlat = 'x'}": "f:1:24: init.hlat: unknown key: did you mean halt?",
		"init.hlat = 'x'":                      "f:1:1: init.hlat: unknown key: did you mean halt?",
		"\"a\\nb\" = 1":                        `f:1:1: "a\nb": unknown key`,
		"\"\" = 1":                             `f:1:1: "": unknown key`,
		"[limits.memory]\nx = 1":               "f:1:1: limits.memory: must be a size",
		"[env.sub]\nx = 'y'":                   "f:1:1: env.sub: must be a string, not a table",
		"é = 1":                                "f:1:",
		"hostname = 'é' \n 'é' = 1":            "f:2:2: \"é\": unknown key",
		// of two faults the first in the file
		"zzz = 1\n[limits]\nmemory = \"1X\"": "f:1:1: zzz",
		"[limits]\nmemory = \"1X\"\nzzz = 1": "f:2:1: limits.memory",
		// duplicate keys
		"hostname = 'a'\nhostname = 'b'":                 "f:2:1: hostname: duplicate key: first set in line 1",
		"[limits]\npids = 1\n[init]\n[limits]\npids = 2": "f:4:1: limits: duplicate key: first set in line 1",
		"[limits]\npids = 1\nmemory = 1\n  pids = 2":     "f:4:3: limits.pids: duplicate key: first set in line 2",
		"limits.pids = 1\n[limits]\n":                    "f:2:1: limits: duplicate key: first set in line 1",
		"init = {halt='auto', halt='auto'}":              "f:1:22: init.halt: duplicate key: first set in line 1",
		"[env]\nA = '1'\n\"A\" = '2'":                    "f:3:1: env.A: duplicate key: first set in line 2",
		"[env]\n\"A\\u0042\" = '1'\n'AB' = '2'":          "f:3:1: env.AB: duplicate key: first set in line 2",
		"hostname = \"\"\"\na\n\"\"\"\nhostname = 'b'":   "f:4:1: hostname: duplicate key: first set in line 1",
		"net = [{type='none'}]\n[[net]]":                 "f:2:",
		// wrong types
		"hostname = 1":               "f:1:1: hostname: must be a string, not an integer",
		"hostname = true":            "must be a string, not a boolean",
		"hostname = 1979-05-27":      "must be a string, not a date or time",
		"hostname = ['a']":           "must be a string, not an array",
		"hostname = {}":              "must be a string, not a table",
		"version = '1'":              "f:1:1: version: must be an integer, not a string",
		"version = 1.0":              "must be an integer, not a float",
		"[console]\nttys = '4'":      "f:2:1: console.ttys: must be an integer, not a string",
		"[init]\ncmd = '/sbin/init'": "f:2:1: init.cmd: must be an array, not a string",
		"[init]\ncmd = ['/i', 1]":    "f:2:1: init.cmd[1]: must be a string, not an integer",
		"[init.cmd]\nx = 1":          "f:1:1: init.cmd: must be an array of strings, not a table",
		"init = 1":                   "f:1:1: init: must be a table, not an integer",
		"init = [1]":                 "must be a table, not an array",
		"[[init]]":                   "must be a table, not an array",
		"env = 'A=1'":                "f:1:1: env: must be a table, not a string",
		"[env]\nA = 1":               "f:2:1: env.A: must be a string, not an integer",
		"[net]\ntype = 'none'":       "f:1:1: net: must be an array of tables: write [[net]]",
		"net = 1":                    "f:1:1: net: must be an array, not an integer",
		"net = ['none']":             "f:1:1: net[0]: must be a table, not a string",
		"[limits]\nmemory = true":    "f:2:1: limits.memory: must be a size, as in \"512M\", not a boolean",
		"[limits]\nmemory = 1.5":     "f:2:1: limits.memory: 1.5 is not a whole number",
		"[limits]\nmemory = inf":     "is not a whole number",
		"[limits]\ncpu_quota = []":   "must be a quota",
		"[init]\nstop_timeout = 1.5": "f:2:1: init.stop_timeout: must be a duration, as in \"90s\", not a float",
		"[init]\nstop_timeout = nan": "must be a duration",
		"[limits]\npids = 1.0":       "must be an integer",
		// values
		"version = 2\nnew_key = 1":                                  "f:1:1: version: schema version 2 is newer than the 1 that this sysct knows: use a newer sysct",
		"x = 1\nversion = 2\n":                                      "f:2:1: version: schema version 2 is newer",
		"version = 0":                                               "f:1:1: version: schema version 0 is unknown: it must be 1",
		"version = -1":                                              "version -1 is unknown",
		"[limits]\nmemory = -1":                                     `f:2:1: limits.memory: "-1" is negative: a size must be more than 0`,
		"[limits]\nmemory = '-1'":                                   "is negative",
		"[limits]\nmemory = 0":                                      "too small",
		"[limits]\nmemory = '1X'":                                   `f:2:1: limits.memory: "1X" has the unknown unit "X"`,
		"[limits]\nmemory = '1.5G'":                                 "is not a whole number",
		"[limits]\nmemory = '18446744073709551616'":                 "too large",
		"[limits]\nmemory = 18446744073709551616":                   "f:2:10: limits.memory: 18446744073709551616 is out of range for int64",
		"[limits]\nmemory = '1M'":                                   "f:2:1: limits.memory: 1M is too little to boot: the least is 4M",
		"[limits]\nmemory = 4095":                                   "4095 is too little to boot",
		"[limits]\npids = 0":                                        "f:2:1: limits.pids: 0 is too little: the least is 1",
		"[limits]\npids = -1":                                       "too little",
		"[limits]\npids = 4194305":                                  "f:2:1: limits.pids: 4194305 is too much: the most is 4194304",
		"[limits]\ncpu_quota = 0":                                   "too little",
		"[limits]\ncpu_quota = 1000000":                             "too much",
		"[limits]\ncpu_quota = 1e6":                                 "too much",
		"[limits]\ncpu_quota = nan":                                 "is not a quota",
		"[limits]\ncpu_quota = -inf":                                "is negative",
		"[limits]\ncpuset = '3-1'":                                  `f:2:1: limits.cpuset: "3-1": the range "3-1" falls`,
		"[limits]\ncpuset = '0,,1'":                                 "a number is missing",
		"[limits]\nswap = -1":                                       "f:2:1: limits.swap: \"-1\" is negative",
		"[limits]\nswap = '1X'":                                     "has the unknown unit",
		"[limits]\nswap = 1.5":                                      "is not a whole number",
		"[limits]\nswap = true":                                     "f:2:1: limits.swap: must be a size",
		"[limits]\nmemory_high = '1M'":                              "f:2:1: limits.memory_high: 1M is too little to boot: the least is 4M",
		"[limits]\nmemory_min = 0":                                  "f:2:1: limits.memory_min: \"0\" is too small",
		"[limits]\nmemory_min = '9M'\nmemory = '8M'":                "f:2:1: limits.memory_min: 9M is more than limits.memory, 8M",
		"[limits]\ncpus = 0":                                        "f:2:1: limits.cpus: 0 is too little: the least is 1",
		"[limits]\ncpus = -1":                                       "too little",
		"[limits]\ncpus = 1000000":                                  "f:2:1: limits.cpus: 1000000 is too much: the most is 8192",
		"[limits]\ncpus = 1e6":                                      "f:2:1: limits.cpus: must be an integer, not a float",
		"[limits]\ncpus = 1.5":                                      "must be an integer",
		"[limits]\ncpus = '2'":                                      "f:2:1: limits.cpus: must be an integer, not a string",
		"[limits]\ncpuset = '0'\ncpus = 1":                          "f:3:1: limits.cpus: can't be together with limits.cpuset",
		"[limits]\ncpu_burst = '50%'":                               "f:2:1: limits.cpu_burst: has no meaning without limits.cpu_quota",
		"[limits]\ncpu_burst = '50%'\ncpu_quota = '20%'":            "f:2:1: limits.cpu_burst: 50% is more than limits.cpu_quota, 20%",
		"[limits]\ncpu_burst = 0\ncpu_quota = '20%'":                "f:2:1: limits.cpu_burst: 0% is too little",
		"[limits]\ncpu_weight = 0":                                  "f:2:1: limits.cpu_weight: 0 is too little: the least is 1",
		"[limits]\ncpu_weight = 10001":                              "too much: the most is 10000",
		"[limits.hugepages]\n2M = -1":                               "f:2:1: limits.hugepages.2M: \"-1\" is negative",
		"[limits.hugepages]\n2M = '1M'":                             "f:2:1: limits.hugepages.2M: 1M is less than one page of 2M",
		"[limits.hugepages]\n2M = '3M'":                             "f:2:1: limits.hugepages.2M: 3M is not a multiple of a page of 2M",
		"[limits.hugepages]\n'2MB' = '4M'":                          `f:2:1: limits.hugepages.2MB: "2MB" is no size of huge pages: it is written as in "2M" or "1G"`,
		"[limits.hugepages]\n2048K = '4M'":                          "is no size of huge pages",
		"[limits.hugepages]\n'../x' = '4M'":                         "is no size of huge pages",
		"[limits]\nhugepages = 5":                                   "f:2:1: limits.hugepages: must be a table, not an integer",
		"[limits.io]\nweight = 0":                                   "f:2:1: limits.io.weight: 0 is too little",
		"[limits.io]\nread = 1":                                     "f:2:1: limits.io.read: unknown key",
		"[limits.io]\ndevice = 1":                                   "f:2:1: limits.io.device: must be an array",
		"[limits.io.device]\npath = '/x'":                           "f:1:1: limits.io.device: must be an array of tables: write [[limits.io.device]]",
		"[[limits.io.device]]\nread = 1":                            "f:1:1: limits.io.device[0].path: is missing",
		"[[limits.io.device]]\npath = '/x'":                         "f:1:1: limits.io.device[0]: has no limit",
		"[[limits.io.device]]\npath = 'x'\nread = 1":                `f:2:1: limits.io.device[0].path: "x" is not an absolute path`,
		"[[limits.io.device]]\npath = '/x'\nread = 0":               "f:3:1: limits.io.device[0].read: \"0\" is too small",
		"[[limits.io.device]]\npath = '/x'\nread_ops = 0":           "f:3:1: limits.io.device[0].read_ops: 0 is too little",
		"[[limits.io.device]]\npath = '/x'\nwrite_ops = 4294967296": "too much: the most is 4294967295",
		"[[limits.io.device]]\npath='/x'\nread=1\n[[limits.io.device]]\npath='/x'\nread=2": `f:5:1: limits.io.device[1].path: "/x" is named twice`,
		"[rlimits]\nnofiles = 5":                 `f:2:1: rlimits.nofiles: "nofiles" is no resource limit: did you mean nofile?`,
		"[rlimits]\nxyzzy = 5":                   "is no resource limit: one of as, core, cpu, ",
		"[rlimits]\nnofile = -1":                 `f:2:1: rlimits.nofile: "-1" is not a limit`,
		"[rlimits]\nnofile = '5:4'":              `f:2:1: rlimits.nofile: "5:4": the soft limit is above the hard one`,
		"[rlimits]\nnofile = 'unlimited:4'":      "the soft limit is above",
		"[rlimits]\nnofile = '1:2:3'":            "is not a limit",
		"[rlimits]\nnofile = ''":                 "is not a limit",
		"[rlimits]\nnofile = '1K'":               "is not a limit",
		"[rlimits]\nnofile = 1.5":                "f:2:1: rlimits.nofile: must be a limit, as in 1024",
		"rlimits = 5":                            "f:1:1: rlimits: must be a table, not an integer",
		"oom_score_adj = 1001":                   "f:1:1: oom_score_adj: 1001 is too much: the most is 1000",
		"oom_score_adj = -1001":                  "too little: the least is -1000",
		"oom_score_adj = 1.5":                    "must be an integer",
		"restart = 'on-failur'":                  `f:1:1: restart: "on-failur" is unknown: it must be "no" or "on-failure": did you mean "on-failure"?`,
		"protect = ['destroy']":                  `f:1:1: protect[0]: "destroy" is unknown: it must be "delete" or "start"`,
		"protect = 'delete'":                     "must be an array",
		"ephemeral = 1":                          "f:1:1: ephemeral: must be true or false",
		"ephemeral = true\nprotect = ['delete']": "f:2:1: protect[0]: an ephemeral guest is destroyed when it stops",
		"[autostart]\norder = 1000001":           "f:2:1: autostart.order: 1000001 is too much: the most is 1000000",
		"[autostart]\norder = 1.5":               "f:2:1: autostart.order: must be an integer",
		"[autostart]\ndelay = '2h'":              "f:2:1: autostart.delay: 2h is too much: the most is 1h",
		"[autostart]\nenabled = 1":               "f:2:1: autostart.enabled: must be true or false",
		"[autostart]\nafter = ['../x']":          `f:2:1: autostart.after[0]: name "../x": only`,
		"[autostart]\nrequires = 'db'":           "must be an array",
		"[autostart]\ngroups = ['a', 'a b']":     `f:2:1: autostart.groups[1]: name "a b": only`,
		"[autostart]\nrequires = ['db', 'db']":   `f:2:1: autostart.requires[1]: "db" is named twice`,
		"restart = 'always'":                     `f:1:1: restart: "always" is unknown: it must be "no" or "on-failure"`,
		"restart = ''":                           "is missing",
		"[init]\ncmd = []":                       "f:2:1: init.cmd: is empty",
		"[init]\ncmd = ['init']":                 `f:2:1: init.cmd: "init" is not an absolute path`,
		"[init]\ncmd = ['']":                     "is not an absolute path",
		"[init]\nhalt = 'SIGNOPE'":               `f:2:1: init.halt: "SIGNOPE" is neither "auto" nor the name of a signal`,
		"[init]\nhalt = ''":                      "neither",
		"[init]\nready_cmd = ['']":               "f:2:1: init.ready_cmd: the command is empty",
		"[init]\nstop_timeout = '-1s'":           "is negative",
		"[init]\nstop_timeout = -1":              "is negative",
		"[init]\nstop_timeout = 86401":           "f:2:1: init.stop_timeout: 24h0m1s is too much: the most is 24h",
		"[env]\n\"A B\" = 'x'":                   `f:2:1: env."A B": "A B" is not the name of a variable`,
		"[env]\n1A = 'x'":                        "is not the name of a variable",
		"[env]\n\"\" = 'x'":                      "is not the name of a variable",
		"[env]\n\"A=B\" = 'x'":                   "is not the name of a variable",
		"[env]\n\"A\\nB\" = 'x'":                 "f:2:1: env.\"A\\nB\"",
		"[env]\ncontainer = 'x'":                 "f:2:1: env.container: sysct itself sets the variable container",
		"[env]\nNOTIFY_SOCKET = 'x'":             "sysct itself sets",
		"[console]\nttys = 13":                   "f:2:1: console.ttys: 13 is too much: the most is 12",
		"[console]\nttys = -1":                   "too little",
		"[console]\nlog_size = '4095'":           "f:2:1: console.log_size: 4095 is too little: the least is 4K",
		"[console]\nlog_size = '2G'":             "too much: the most is 1G",
		"[console]\nlog_files = 0":               "too little",
		"[console]\nlog_files = 101":             "too much",
		// host names
		"hostname = 'a b'":  `f:1:1: hostname: "a b": only A-Z a-z 0-9 . - _ are allowed`,
		"hostname = '-a'":   "no part may begin or end with -",
		"hostname = 'a-.b'": "no part may begin or end with -",
		"hostname = 'a..b'": "a part between the points is empty",
		"hostname = '.'":    "a part between the points is empty",
		"hostname = 'wеb'":  "only A-Z",
		"hostname = '" + strings.Repeat("a", 65) + "'": "is too long: the most is 64 characters",
		// control characters in values
		"hostname = \"a\\nb\"":                            "f:1:1: hostname: the control character U+000A is not allowed",
		"hostname = \"\"\"a\nb\"\"\"":                     "U+000A is not allowed",
		"hostname = \"a\\u0000\"":                         "U+0000 is not allowed",
		"hostname = \"a\\u009b\"":                         "U+009B is not allowed",
		"restart = \"no\\u001b[2J\"":                      "U+001B is not allowed",
		"[env]\nA = \"x\\nB=y\"":                          "f:2:1: env.A: the control character U+000A is not allowed",
		"[env]\nA = \"x\ty\"":                             "U+0009 is not allowed",
		"[init]\ncmd = [\"/i\", \"a\\r\"]":                "f:2:1: init.cmd[1]: the control character U+000D is not allowed",
		"[env]\nA = '" + strings.Repeat("x", 65537) + "'": "is longer than 65536 bytes",
		// the text as a whole
		"\xef\xbb\xbfversion = 1":          "f:1:1: begins with a byte order mark",
		"\xff\xfev\x00":                    "byte order mark",
		"version = 1\n# \xff":              "f:2:3: is not UTF-8 text: byte 0xff",
		"# \ufffd\nhostname = \"\xc3\"":    "f:2:13: is not UTF-8 text: byte 0xc3",
		"#" + strings.Repeat("x", 1<<20):   "f: is larger than 1 MiB",
		strings.Repeat("a", 300) + " = 1":  "a key with its tables is longer than 256 bytes",
		strings.Repeat("a.", 16) + "a = 1": "a key has more than 16 parts",
		"x = " + strings.Repeat("[", 17):   "values are nested deeper than 16 levels",
	} {
		guest, err := Parse([]byte(text), "f")
		checkRefusal(t, text, err, want)
		var parseError *ParseError
		if guest != nil || !errors.As(err, &parseError) || parseError.File != "f" {
			t.Errorf("%.80q: %v, %T", text, guest, err)
		}
	}
}

// What nests deeply, or makes a parser's work grow with the square of the text, is
// refused before a recursive parser sees it.
func TestHostileShapes(t *testing.T) {
	for _, n := range []int{10_000, 1_000_000} {
		for name, text := range map[string]string{
			"arrays":        "x = " + strings.Repeat("[", n),
			"closed arrays": "x = " + strings.Repeat("[", n/2) + strings.Repeat("]", n/2),
			"array lines":   "x = [" + strings.Repeat("\n[", n/2),
			"heads":         strings.Repeat("[", n),
			"head lines":    strings.Repeat("[\n", n/2),
			"inline tables": strings.Repeat("a={", n/3),
			"both":          "x = " + strings.Repeat("[{a=", n/4),
			"dotted key":    strings.Repeat("a.", n/2) + "a = 1",
			"dotted table":  "[" + strings.Repeat("a.", n/2) + "a]",
			"dotted inline": "x = {" + strings.Repeat("a.", n/2) + "a = 1}",
			"long key":      strings.Repeat("a", n) + " = 1",
			"quoted key":    `"` + strings.Repeat("a", n) + `" = 1`,
			"long table":    "[" + strings.Repeat("a", n/2) + "]\n" + strings.Repeat("a=1\n", n/8),
			"closing":       strings.Repeat("]", n),
			"quotes":        strings.Repeat(`"`, n),
			"backslashes":   `x = "` + strings.Repeat(`\`, n),
			"commas":        "x = [" + strings.Repeat(",", n),
			"equals":        strings.Repeat("=", n),
			"dots":          "x = " + strings.Repeat(".", n),
			"broken, deep":  "] = \nx = " + strings.Repeat("[", n),
		} {
			guest, err := Parse([]byte(text), "f")
			if err == nil {
				t.Errorf("%d %s: %+v", n, name, guest)
				continue
			}
			checkRefusal(t, text, err, "f:")
		}
	}
}

func TestManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 75_000 {
		fmt.Fprintf(&b, "k%d = 1\n", i)
	}
	_, err := Parse([]byte(b.String()), "f")
	checkRefusal(t, "many keys", err, "f:1:1: k0: unknown key")
	_, err = Parse([]byte("["+strings.Repeat("x.", 15)+strings.Repeat("x", 200)+"]\n"+b.String()), "f")
	checkRefusal(t, "many long keys", err, "f:1:1: x: unknown key")
	_, err = Parse([]byte("[init]\ncmd = ['/i'"+strings.Repeat(",'x'", 200_000)+"]"), "f")
	if err != nil {
		t.Error(err)
	}
	_, err = Parse([]byte(strings.Repeat("[[net]]\n", 130_000)), "f")
	checkRefusal(t, "many tables", err, "f:1:1: net: 130000 entries: the most is 16")
}

func TestCheckTakesAProgramsGuest(t *testing.T) {
	g := Default()
	if err := g.Check(); err != nil {
		t.Error(err)
	}
	g.Hostname = "a\nb"
	checkRefusal(t, "hostname", g.Check(), "hostname: the control character U+000A is not allowed")
	g = Default()
	g.Init.Cmd = nil
	checkRefusal(t, "cmd", g.Check(), "init.cmd: is empty")
	g = Default()
	g.Env = map[string]string{"A": "\xff"}
	checkRefusal(t, "env", g.Check(), "env.A: \"\\xff\" is not UTF-8 text")
	g.Env = map[string]string{"A\x1b": ""}
	checkRefusal(t, "env", g.Check(), "control character U+001B")
}
