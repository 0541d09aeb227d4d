package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits/cgroupfs"
)

// healthy is a host that has nothing to be told about.
func healthy() *made {
	m := &made{
		files: map[string]string{
			"/proc/self/status":                       "Name:\tx\nCapEff:\t000001ffffffffff\nSeccomp:\t0",
			"/sys/fs/cgroup/cgroup.controllers":       "cpuset cpu io memory pids",
			"/sys/module/apparmor/parameters/enabled": "Y",
			"/proc/sys/fs/inotify/max_user_instances": "8192",
			"/proc/sys/fs/inotify/max_user_watches":   "1000000",
			"/proc/key-users":                         "    0:    98 97/97 94/1000000 2168/25000000\n65534: 2 2/2 2/200 30/20000",
			"/proc/sys/kernel/pid_max":                "4194304",
			"/proc/sys/kernel/threads-max":            "200000",
			"/proc/loadavg":                           "0.1 0.2 0.3 1/300 999",
			"/proc/sys/fs/file-nr":                    "2000\t0\t9223372036854775807",
		},
		failed: map[Trial]error{},
		fs:     map[string]FileSystem{},
	}
	for _, kind := range []string{"user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time"} {
		m.files["/proc/sys/user/max_"+kind+"_namespaces"] = "60000"
	}
	dirs := Dirs{State: "/var/lib/sysct", Cache: "/var/cache/sysct", Run: "/run/sysct", Log: "/var/log/sysct"}
	m.Host = Host{
		Read: m.read, Try: func(t Trial) error { return m.failed[t] },
		FileSystem: func(dir string) (*FileSystem, error) {
			f, ok := m.fs[dir]
			if !ok {
				f = FileSystem{Type: "ext4", Size: 1 << 40, Free: 1 << 38, Inodes: 1000, FreeInodes: 900}
			}
			return &f, nil
		},
		Stat:    func(dir string) (uint32, uint32, bool) { return 0, unix.S_IFDIR | 0o700, true },
		Inotify: func() InotifyUse { return InotifyUse{Instances: 40, Watches: 300} },
		Arch:    "arm64", Dirs: dirs, OpenFiles: 524288, Guests: 3, Running: 2, PidsSum: 32768,
		Groups: func() (cgroupfs.Tree, error) {
			return cgroupfs.Tree{V2: "/sys/fs/cgroup", V1: map[string]string{}}, nil
		},
		IDs:       IDs{Used: 3, Free: 30000},
		Templates: []Template{{"busybox", nil}, {"debian", nil}},
		Leftovers: func() ([]string, error) { return nil, nil },
		Network: Network{Bridges: []string{"sysctbr0"}, Names: []string{"sysctbr0"}, NAT4: true, NAT6: true, Has: func(string) bool { return true },
			Rules: func() (filterRules, error) { return nil, nil }, Server: func(string, uint16) string { return "" }},
	}
	return m
}

// made is a made-up host.
type made struct {
	Host
	files  map[string]string
	failed map[Trial]error
	fs     map[string]FileSystem
}

func (m *made) read(path string) (string, error) {
	if text, ok := m.files[path]; ok {
		return text, nil
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT}
}

// text is findings as lines for a golden file.
func text(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Severity, f.Check, f.Found)
		if f.Why != "" {
			fmt.Fprintf(&b, "  why  %s\n", f.Why)
		}
		if f.Mend != "" {
			fmt.Fprintf(&b, "  mend %s\n", f.Mend)
		}
	}
	return b.String()
}

// notFine leaves the good news out.
func notFine(findings []Finding) []Finding {
	var bad []Finding
	for _, f := range findings {
		if f.Severity != OK {
			bad = append(bad, f)
		}
	}
	return bad
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestAHealthyHost(t *testing.T) {
	golden(t, "healthy", text(Examine(&healthy().Host)))
}

// TestSickHosts makes one thing after another wrong with a healthy host.
func TestSickHosts(t *testing.T) {
	var b strings.Builder
	for _, c := range sicknesses() {
		m := healthy()
		c.make(m)
		fmt.Fprintf(&b, "# %s\n%s", c.name, text(notFine(Examine(&m.Host))))
	}
	golden(t, "sick", b.String())
}

func sicknesses() []struct {
	name string
	make func(*made)
} {
	type table = []struct {
		name string
		make func(*made)
	}
	small := func(free, inodes uint64) FileSystem {
		return FileSystem{Type: "ext4", Size: 1 << 40, Free: free, Inodes: 1000, FreeInodes: inodes}
	}
	state := "/var/lib/sysct"
	return table{
		{"no user and time namespaces", func(m *made) { m.failed[TryUser], m.failed[TryTime] = unix.ENOSPC, unix.EINVAL }},
		{"few namespaces", func(m *made) {
			m.files["/proc/sys/user/max_user_namespaces"], m.files["/proc/sys/user/max_net_namespaces"] = "0", "100"
		}},
		{"v1 alone", func(m *made) {
			m.Groups = func() (cgroupfs.Tree, error) {
				return cgroupfs.Tree{}, errors.New("cannot use cgroups: no cgroup2 file system is mounted")
			}
		}},
		{"controllers missing", func(m *made) { m.files["/sys/fs/cgroup/cgroup.controllers"] = "cpu" }},
		{"an old kernel", func(m *made) {
			for _, t := range []Trial{TryMountAPI, TryOpenat2, TryPidfd, TryPidInfo, TryIntoGroup, TryKill, TryFreeze, TryDevices, TrySeccomp} {
				m.failed[t] = unix.ENOSYS
			}
		}},
		{"in a user namespace", func(m *made) {
			for _, t := range []Trial{TryUser, TryMountAPI, TryDevices, TryIDMap.On(state)} {
				m.failed[t] = fmt.Errorf("fsopen: %w", unix.EPERM)
			}
			m.failed[TryPidfd] = fmt.Errorf("%w: why", errUntried)
		}},
		{"in a guest with nesting", func(m *made) {
			m.Nested, m.IDs = true, IDs{Used: 15}
			m.files["/sys/fs/cgroup/cgroup.controllers"] = ""
			m.failed[TryIDMap.On(state)], m.failed[TryIDMap.On("/var/cache/sysct")] = unix.EPERM, unix.EINVAL
			m.failed[TryOverlay], m.failed[TryDevices] = unix.EPERM, unix.EPERM
		}},
		{"in a guest without nesting", func(m *made) { m.Nested, m.IDs = true, IDs{} }},
		{"a container's root", func(m *made) { m.files["/proc/self/status"] = "x\nCapEff:\t00000000a80425fb\ny" }},
		{"a PC with SELinux", func(m *made) { m.Arch = "amd64"; m.files["/sys/fs/selinux/enforce"] = "1" }},
		{"directories of others", func(m *made) {
			m.Stat = func(dir string) (uint32, uint32, bool) {
				switch dir {
				case "/run/sysct":
					return 1000, unix.S_IFDIR | 0o700, true
				case "/var/cache/sysct":
					return 0, unix.S_IFDIR | 0o777, true
				case "/var/log/sysct":
					return 0, 0, false
				}
				return 0, unix.S_IFDIR | 0o755, true
			}
		}},
		{"mounted with options", func(m *made) {
			f := small(1<<38, 900)
			f.ReadOnly, f.NoExec, f.NoSuid = true, true, true
			m.fs[state], m.fs["/run/sysct"] = f, FileSystem{Type: "tmpfs", NoExec: true, NoSuid: true, Free: 1 << 38}
		}},
		{"a file system without mapped ids", func(m *made) {
			m.fs[state] = FileSystem{Type: "nfs4", Free: 1 << 38}
			m.failed[TryIDMap.On(state)], m.failed[TryOverlay] = unix.EINVAL, errors.New("the overlay is read-only")
		}},
		{"nearly full", func(m *made) {
			m.fs[state], m.fs["/var/cache/sysct"], m.fs["/var/log/sysct"] = small(100<<20, 900), small(1<<30, 900), small(1<<38, 9)
		}},
		{"few inodes", func(m *made) { m.fs[state] = small(1<<38, 40) }},
		{"few ids, from subuid", func(m *made) { m.IDs = IDs{Used: 7, Free: 0, Own: true} }},
		{"no programs for networks", func(m *made) { m.Network.Has = func(string) bool { return false } }},
		{"a damaged network", func(m *made) {
			m.Network.Damaged = []Damage{{"network sysctbr0 lacks dnsmasq, interface eth0 of web", "sysct net repair"}}
		}},
		{"forwarding turned off", func(m *made) { m.files["/proc/sys/net/ipv4/ip_forward"] = "0" }},
		{"bridges filtered", func(m *made) { m.files["/proc/sys/net/bridge/bridge-nf-call-iptables"] = "1" }},
		{"another name server", func(m *made) {
			m.Network.Server = func(string, uint16) string { return "named (pid 5), which listens on 0.0.0.0" }
		}},
		{"few ids", func(m *made) { m.IDs = IDs{Used: 30000, Free: 9} }},
		{"a broken ledger", func(m *made) {
			m.IDs = IDs{Err: errors.New("cannot read id ledger /x/ids.json: version 2, this sysct knows 1")}
		}},
		{"tools missing", func(m *made) {
			m.Templates[1].Err = errors.New("mmdebstrap is not installed (apt-get install mmdebstrap)")
		}},
		{"no tools at all", func(m *made) {
			for i := range m.Templates {
				m.Templates[i].Err = errors.New("odd")
			}
		}},
		{"many guests", func(m *made) {
			m.Guests, m.Running, m.PidsSum, m.OpenFiles = 100, 100, 1638400, 1024
			m.files["/proc/sys/fs/inotify/max_user_instances"] = "128"
			m.Inotify = func() InotifyUse { return InotifyUse{Instances: 128, Watches: 999900, Partly: true} }
			m.files["/proc/loadavg"] = "9 9 9 9/190000 1"
			m.files["/proc/sys/fs/file-nr"] = "95000 0 100000"
			m.files["/proc/key-users"] = "    0: 1 1/1 1/1000000 24000000/25000000\n1000000: 2 2/2 195/200 30/20000"
		}},
		{"guests to come", func(m *made) {
			m.Guests, m.Running = 20, 0
			m.files["/proc/sys/fs/inotify/max_user_instances"] = "128"
		}},
		{"guests to come, sysctl.d installed", func(m *made) {
			m.Guests, m.Running = 20, 0
			m.files["/proc/sys/fs/inotify/max_user_instances"] = "128"
			m.files["/proc/sys/fs/inotify/max_user_watches"] = "100"
			m.files["/usr/lib/sysctl.d/50-sysct.conf"] = "# why\nfs.inotify.max_user_instances = 65536\nfs.inotify.max_user_watches=1000"
		}},
		{"limits from above", func(m *made) {
			m.files["/sys/fs/cgroup/pids.max"] = "310"
		}},
		{"no FUSE", func(m *made) { m.failed[TryFUSE] = unix.ENOENT }},
		{"leftovers and old monitors", func(m *made) {
			m.Leftovers = func() ([]string, error) { return []string{"directory /a/.new-x", "ids 1 of x"}, nil }
			m.Helpers.Other = []string{"a", "b"}
		}},
		{"unreadable", func(m *made) {
			clear(m.files)
			m.FileSystem = func(string) (*FileSystem, error) { return nil, unix.EIO }
			m.Leftovers = func() ([]string, error) { return nil, unix.EIO }
		}},
	}
}

func TestWorst(t *testing.T) {
	if got := Worst([]Finding{{Severity: OK}, {Severity: Warning}, {Severity: Note}}); got != Warning {
		t.Error(got)
	}
	if got := Worst(nil); got != OK {
		t.Error(got)
	}
}

// TestEveryFindingHelps: what is wrong has a reason, and what has to be done a way.
func TestEveryFindingHelps(t *testing.T) {
	for _, c := range sicknesses() {
		m := healthy()
		c.make(m)
		for _, f := range notFine(Examine(&m.Host)) {
			if f.Why == "" || f.Mend == "" && f.Severity != Note {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
	}
}
