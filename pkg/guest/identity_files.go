package guest

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/hostkeys"
)

// maxEntries bounds what is looked at in a guest's directory.
const maxEntries = 10_000

// dhcpFiles are what DHCP clients remember of themselves, as patterns of names: leases,
// and the DUID that a server knows them by. Those of systemd-networkd and of newer
// clients are derived from the machine id.
func dhcpFiles() []string {
	return []string{
		"/var/lib/dhcp/*.lease", "/var/lib/dhcp/*.leases", "/var/lib/dhclient/*.lease", "/var/lib/dhclient/*.leases",
		"/var/lib/dhcpcd/*", "/var/lib/dhcpcd5/*", "/var/db/dhcpcd/*", "/etc/dhcpcd.duid", "/etc/dhcpcd.secret",
		"/var/lib/NetworkManager/*.lease", "/var/lib/NetworkManager/secret_key",
	}
}

// seedFiles are what a system starts its random numbers from: two with one seed could
// have the same keys.
func seedFiles() []string {
	return []string{
		"/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/random-seed",
		"/var/lib/misc/random-seed", "/var/lib/seedrng/seed.*", "/var/lib/runit/random-seed", "/etc/random-seed",
	}
}

// remover removes the files whose names match.
func remover(patterns ...string) func(*newIdentity) error {
	return func(n *newIdentity) error {
		for _, pattern := range patterns {
			names, err := n.matching(pattern)
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := n.remove(name); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// remove leaves directories alone: what is asked for is files.
func (n *newIdentity) remove(name string) error {
	st, err := n.root.Lstat(name)
	if absent(err) || err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	if err != nil {
		return err
	}
	return n.root.Remove(name)
}

// matching lists the files that a pattern stands for, which has its star in the last
// component.
func (n *newIdentity) matching(pattern string) ([]string, error) {
	dir, last := path.Split(pattern)
	if !strings.Contains(last, "*") {
		return []string{pattern}, nil
	}
	entries, err := n.root.ReadDir(dir, maxEntries)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if fits, _ := path.Match(last, e); fits {
			names = append(names, dir+e)
		}
	}
	return names, nil
}

// absent is true of what a system without something answers: a guest's root can also
// have put a file, or a link that leads nowhere, where a directory would be.
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// resetHostKeys replaces the host keys of an ssh server by new ones of the same kinds:
// a server without any doesn't start, and Debian's makes none by itself.
func (n *newIdentity) resetHostKeys() error {
	const dir, prefix = "/etc/ssh/", "ssh_host_"
	names, err := n.matching(dir + prefix + "*_key")
	if err != nil {
		return err
	}
	for _, name := range names {
		kind := strings.TrimSuffix(strings.TrimPrefix(name, dir+prefix), "_key")
		if err := n.resetHostKey(name, kind); err != nil {
			return err
		}
	}
	return nil
}

// resetHostKey makes one key. One of a kind that is no longer used, and a
// certificate for the old key, only go.
func (n *newIdentity) resetHostKey(name, kind string) error {
	for _, suffix := range []string{"", ".pub", "-cert.pub"} {
		if err := n.remove(name + suffix); err != nil {
			return err
		}
	}
	if !slices.Contains(hostkeys.Kinds(), kind) {
		return nil
	}
	key, err := hostkeys.New(kind, "root@"+n.name)
	if err != nil {
		return err
	}
	return errors.Join(n.write(name, string(key.Private), 0o600), n.write(name+".pub", string(key.Public), 0o644))
}
