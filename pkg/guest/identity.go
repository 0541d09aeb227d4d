package guest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
	"github.com/sysct/sysct/pkg/guest/state"
)

// Keep says which parts of its identity a copy of a guest keeps.
type Keep struct {
	ID   bool // machine id, and what is derived from it: DHCP identity, the key of systemd's credentials
	Name bool // host name, in /etc/hostname and /etc/hosts
	MAC  bool // addresses of its interfaces
	SSH  bool // host keys of its ssh server
}

// newIdentity is a system that is given an identity of its own.
type newIdentity struct {
	root *safefs.Root
	id   *state.Identity // of the guest; what is in it of the guest that it is a copy of is replaced
	name string          // the new host name
	was  []string        // names of the system that it is a copy of; none: it comes from an image

	warn     func(string)
	volatile bool // the guest is under construction: what is written is synced later
}

// identityItem is one part of what makes a system this one and no other. That it isn't
// there, in the tree of a system that has no such thing, is no error.
type identityItem struct {
	name  string
	kept  func(Keep) bool // nil: never
	reset func(*newIdentity) error
}

// identityItems is all of it: what create, clone and rename give anew.
func identityItems() []identityItem {
	byID := func(k Keep) bool { return k.ID }
	byName := func(k Keep) bool { return k.Name }
	return []identityItem{
		{"machine id", byID, (*newIdentity).resetMachineID},
		// With the machine's secret two systems could read each other's credentials.
		{"credential secret", byID, remover("/var/lib/systemd/credential.secret")},
		{"DHCP identity", byID, remover(dhcpFiles()...)},
		{"random seed", nil, remover(seedFiles()...)},
		{"hosts", byName, (*newIdentity).resetHosts},
		{"host name", byName, (*newIdentity).resetHostname},
		{"MAC addresses", func(k Keep) bool { return k.MAC }, (*newIdentity).resetMAC},
		{"ssh host keys", func(k Keep) bool { return k.SSH }, (*newIdentity).resetHostKeys},
	}
}

// resetIdentity gives the system below rootfs an identity of its own, but for what is
// kept; only, if it isn't empty, names the items that are looked at.
func resetIdentity(rootfs string, n *newIdentity, keep Keep, only ...string) error {
	root, err := safefs.OpenRoot(rootfs)
	if err != nil {
		return err
	}
	defer root.Close()
	n.root = root
	for _, item := range identityItems() {
		if item.kept != nil && item.kept(keep) || len(only) > 0 && !slices.Contains(only, item.name) {
			continue
		}
		if err := item.reset(n); err != nil {
			return fmt.Errorf("cannot give the guest its own %s: %w", item.name, err)
		}
	}
	return nil
}

// write replaces a file, but not in a directory that the system doesn't have. What the
// system's root has made of the name, or of the way there, stays.
func (n *newIdentity) write(name, text string, mode uint32) error {
	write := n.root.WriteFile
	if n.volatile {
		write = n.root.WriteVolatile
	}
	err := write(name, []byte(text), mode)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR):
		return nil
	case errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ELOOP):
		n.warn(name + " stays as it is: " + oneLine(err))
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// newMachineID makes a machine id: 32 hex digits of a random UUID.
// Source: machine-id(5).
func newMachineID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("cannot make machine id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:]), nil
}

// resetMachineID: D-Bus has the id in a file of its own where systemd is missing;
// elsewhere that is a link.
func (n *newIdentity) resetMachineID() error {
	id, err := newMachineID()
	if err != nil {
		return err
	}
	n.id.MachineID = id
	const dbus = "/var/lib/dbus/machine-id"
	if st, err := n.root.Lstat(dbus); err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		if err := n.write(dbus, id+"\n", 0o644); err != nil {
			return err
		}
	}
	return n.write("/etc/machine-id", id+"\n", 0o444)
}

// resetMAC makes the first: those of further interfaces are made from it.
func (n *newIdentity) resetMAC() error {
	mac, err := newMAC()
	n.id.MACs = []string{mac}
	return err
}

func (n *newIdentity) resetHostname() error { return n.write("/etc/hostname", n.name+"\n", 0o644) }

// resetHosts leaves a copy its file, with the new name for the old ones.
func (n *newIdentity) resetHosts() error {
	if len(n.was) == 0 {
		return n.write("/etc/hosts", hosts(n.name), 0o644)
	}
	const most = 1 << 20 // bytes; larger ones are lists against advertisements
	text, err := n.root.ReadFile("/etc/hosts", most)
	if err != nil {
		return nil // none, or none that says who we are
	}
	renamed := renameHosts(string(text), n.was, n.name)
	if renamed == string(text) {
		return nil
	}
	return n.write("/etc/hosts", renamed, 0o644)
}

func hosts(hostname string) string {
	return "127.0.0.1\tlocalhost\n127.0.1.1\t" + hostname +
		"\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
}

// renameHosts replaces names, alone or before a domain, on the lines of loopback
// addresses: on others they are the name of somebody else. A system that was called
// what every system calls itself gets its new name beside that.
func renameHosts(text string, old []string, name string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, comment, commented := strings.Cut(line, "#")
		names := strings.IndexAny(line, " \t")
		if names > 0 && (strings.HasPrefix(line, "127.") || strings.HasPrefix(line, "::1")) {
			for _, was := range old {
				if !isCommon(was) {
					line = line[:names] + renameIn(line[names:], was, name)
				}
			}
		}
		b.WriteString(line)
		if commented {
			b.WriteString("#" + comment)
		}
	}
	if renamed := b.String(); renamed != text || !slices.ContainsFunc(old, isCommon) {
		return renamed
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + "127.0.1.1\t" + name + "\n"
}

// isCommon tells names that are nobody's own, and none.
func isCommon(name string) bool {
	host, _, _ := strings.Cut(name, ".")
	return slices.Contains([]string{"", "localhost", "ip6-localhost", "ip6-loopback"}, host)
}

// renameIn replaces a word, or the part of it before its first point.
func renameIn(line, was, name string) string {
	var b strings.Builder
	for i := 0; i < len(line); {
		end := i + strings.IndexAny(line[i:]+" ", " \t\n")
		word := line[i:end]
		if rest, ok := strings.CutPrefix(word, was); ok && (rest == "" || rest[0] == '.') {
			word = name + rest
		}
		b.WriteString(word)
		i = end
		for i < len(line) && strings.ContainsRune(" \t\n", rune(line[i])) {
			b.WriteByte(line[i])
			i++
		}
	}
	return b.String()
}

// isCalled tells whether the system below rootfs has that host name.
func isCalled(rootfs, name string) bool {
	was, _ := hostnameOf(rootfs)
	return was == name
}

// hostnameOf reads the name that a system gives itself; "" if it has none.
func hostnameOf(rootfs string) (string, error) {
	root, err := safefs.OpenRoot(rootfs)
	if err != nil {
		return "", err
	}
	defer root.Close()
	const most = 4096
	text, err := root.ReadFile("/etc/hostname", most)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}
