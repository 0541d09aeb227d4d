package guest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

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

// resetIdentity gives the system below rootfs its own machine id, host name and
// hosts file. A system without /etc has none of them.
func resetIdentity(rootfs, hostname, machineID string) error {
	root, err := safefs.OpenRoot(rootfs)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat("etc"); errors.Is(err, unix.ENOENT) {
		return nil
	}
	for _, f := range []struct {
		name, text string
		mode       uint32
	}{
		{"etc/machine-id", machineID + "\n", 0o444},
		{"etc/hostname", hostname + "\n", 0o644},
		{"etc/hosts", hosts(hostname), 0o644},
	} {
		if err := root.WriteFile(f.name, []byte(f.text), f.mode); err != nil {
			return fmt.Errorf("cannot write /%s of the guest: %w", f.name, err)
		}
	}
	return nil
}

func hosts(hostname string) string {
	return "127.0.0.1\tlocalhost\n127.0.1.1\t" + hostname +
		"\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
}
