package guest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest/state"
)

// system makes a tree with all that identifies a system.
func system(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/machine-id":                        "0123456789abcdef0123456789abcdef\n",
		"var/lib/dbus/machine-id":               "0123456789abcdef0123456789abcdef\n",
		"etc/hostname":                          "www.example\n",
		"etc/hosts":                             "127.0.0.1 localhost web # web\n127.0.1.1\twww.example  webmail web.lan\n10.0.0.1 web\n::1 web localhost\n",
		"etc/ssh/ssh_host_ed25519_key":          "secret",
		"etc/ssh/ssh_host_ed25519_key.pub":      "public",
		"etc/ssh/ssh_host_rsa_key-cert.pub":     "certificate",
		"etc/ssh/ssh_host_rsa_key":              "secret",
		"etc/ssh/ssh_host_dsa_key":              "secret",
		"etc/ssh/sshd_config":                   "stays",
		"var/lib/systemd/random-seed":           "seed",
		"var/lib/seedrng/seed.credit":           "seed",
		"var/lib/systemd/credential.secret":     "secret",
		"var/lib/dhcp/dhclient.eth0.leases":     "lease",
		"var/lib/NetworkManager/internal.lease": "lease",
		"var/lib/dhcpcd/duid":                   "duid",
		"var/lib/dhcpcd/dir/file":               "stays",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// tree reads all files.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, root+"/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func reset(t *testing.T, root string, keep Keep) (map[string]string, *state.Identity) {
	t.Helper()
	id := &state.Identity{MachineID: "0123456789abcdef0123456789abcdef", MACs: []string{"02:00:00:00:00:01"}}
	n := &newIdentity{id: id, name: "copy", warn: func(s string) { t.Log(s) }, was: []string{"web", "www.example"}}
	if err := resetIdentity(root, n, keep); err != nil {
		t.Fatal(err)
	}
	return tree(t, root), id
}

func TestACopyGetsAnIdentityOfItsOwn(t *testing.T) {
	files, id := reset(t, system(t), Keep{})
	if id.MachineID == "0123456789abcdef0123456789abcdef" || len(id.MACs) != 1 || id.MACs[0] == "02:00:00:00:00:01" {
		t.Errorf("the state is %+v", id)
	}
	for name, want := range map[string]string{
		"etc/machine-id": id.MachineID + "\n", "var/lib/dbus/machine-id": id.MachineID + "\n", "etc/hostname": "copy\n",
		"etc/hosts":           "127.0.0.1 localhost copy # web\n127.0.1.1\tcopy  webmail copy.lan\n10.0.0.1 web\n::1 copy localhost\n",
		"etc/ssh/sshd_config": "stays", "var/lib/dhcpcd/dir/file": "stays",
	} {
		if files[name] != want {
			t.Errorf("%s has %q, not %q", name, files[name], want)
		}
		delete(files, name)
	}
	for _, kind := range []string{"ed25519", "rsa"} {
		name := "etc/ssh/ssh_host_" + kind + "_key"
		if !strings.Contains(files[name], "BEGIN OPENSSH PRIVATE KEY") || !strings.HasSuffix(files[name+".pub"], " root@copy\n") {
			t.Errorf("%s has %q, %q", name, files[name], files[name+".pub"])
		}
		delete(files, name)
		delete(files, name+".pub")
	}
	if len(files) > 0 {
		t.Errorf("there are also %q", files)
	}
}

func TestWhatIsKeptStays(t *testing.T) {
	before := tree(t, system(t))
	files, id := reset(t, system(t), Keep{ID: true, Name: true, MAC: true, SSH: true})
	if id.MachineID != "0123456789abcdef0123456789abcdef" || len(id.MACs) != 1 {
		t.Errorf("the state is %+v", id)
	}
	delete(before, "var/lib/systemd/random-seed") // never kept
	delete(before, "var/lib/seedrng/seed.credit")
	for name := range before {
		if files[name] != before[name] {
			t.Errorf("%s was %q, is %q", name, before[name], files[name])
		}
	}
	if len(files) != len(before) {
		t.Errorf("%d files became %d", len(before), len(files))
	}
}

// A guest's root has put links to the host wherever something is written or removed.
func TestIdentityStaysInTheTree(t *testing.T) {
	host := system(t)
	before := tree(t, host)
	for _, links := range [][]string{
		{"etc", "var"}, {"etc/ssh", "var/lib"}, {"etc/ssh", "var/lib/dhcp", "var/lib/dhcpcd", "var/lib/systemd", "var/lib/dbus", "var/lib/seedrng"},
		{"etc/machine-id", "etc/hostname", "etc/hosts", "etc/ssh/ssh_host_rsa_key", "var/lib/systemd/random-seed", "var/lib/dhcpcd/duid"},
	} {
		root := system(t)
		for _, name := range links {
			path := filepath.Join(root, name)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(host, name), path); err != nil {
				t.Fatal(err)
			}
		}
		n := &newIdentity{id: &state.Identity{}, name: "copy", warn: func(string) {}, was: []string{"web"}}
		if err := resetIdentity(root, n, Keep{}); err != nil {
			t.Logf("links at %q: %v", links, err)
		}
		after := tree(t, host)
		for name := range before {
			if after[name] != before[name] {
				t.Errorf("links at %q: on the host %s was %q, is %q", links, name, before[name], after[name])
			}
		}
	}
}

func TestRenameHosts(t *testing.T) {
	for _, c := range []struct{ text, was, want string }{
		{"127.0.0.1 localhost\n::1 localhost\n", "localhost", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1\tcopy\n"},
		{"127.0.0.1 localhost", "localhost.localdomain", "127.0.0.1 localhost\n127.0.1.1\tcopy\n"},
		{"127.0.0.1 localhost\n127.0.1.1 web\n", "web localhost", "127.0.0.1 localhost\n127.0.1.1 copy\n"},
		{"127.0.0.1 localhost \n", "", "127.0.0.1 localhost \n"},
		{"127.0.0.1 localhost 127\n127\n", "127", "127.0.0.1 localhost copy\n127\n"},
		{"::1 ip6-localhost ip6-loopback web # web\n", "ip6-loopback web", "::1 ip6-localhost ip6-loopback copy # web\n"},
		{"10.0.0.1 web\n", "web", "10.0.0.1 web\n"},
	} {
		if got := renameHosts(c.text, strings.Fields(c.was), "copy"); got != c.want {
			t.Errorf("%q of %s became %q", c.text, c.was, got)
		}
	}
	if got := renameHosts("127.0.0.1 localhost \n", []string{"web", ""}, "copy"); got != "127.0.0.1 localhost \n127.0.1.1\tcopy\n" {
		t.Errorf("of a system without a name: %q", got)
	}
}

// What a guest's root has put where a file would be is in nobody's way.
func TestIdentityOfAnOddSystem(t *testing.T) {
	for _, made := range []func(root string) error{
		func(root string) error { return os.MkdirAll(root+"/etc/hostname/d", 0o755) },
		func(root string) error { return os.MkdirAll(root+"/etc/machine-id", 0o755) },
		func(root string) error { return os.Symlink("etc", root+"/etc") },
	} {
		root, said := t.TempDir(), ""
		if err := made(root); err != nil {
			t.Fatal(err)
		}
		n := &newIdentity{id: &state.Identity{}, name: "copy", warn: func(s string) { said += s }}
		if err := resetIdentity(root, n, Keep{}); err != nil || !strings.HasPrefix(said, "/etc/") {
			t.Errorf("%q, %v", said, err)
		}
	}
}
