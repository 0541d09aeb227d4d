package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/atomicfile"
)

const (
	identityFile    = "state.json"
	identityVersion = 1
)

// Identity is what makes a guest this one and no other: written when it is
// created, and by whatever gives it a new identity. It is the content of
// state.json in the guest's directory.
type Identity struct {
	Version   int       `json:"version"`    // of the schema; WriteIdentity sets it
	Name      string    `json:"name"`       // that of the guest's directory
	IDBase    uint32    `json:"id_base"`    // the host's id of the guest's id 0; never 0
	IDSize    uint32    `json:"id_size"`    // how many ids it has
	MachineID string    `json:"machine_id"` // 32 lower-case hexadecimal digits
	Template  string    `json:"template"`   // what it was built from
	Image     string    `json:"image"`      // the key of the image in the cache
	Backend   string    `json:"backend"`    // how its root file system is stored: dir, overlay, btrfs
	CreatedAt time.Time `json:"created_at"`
	Layers    []string  `json:"layers,omitempty"` // shared ones between its own and the image, the top one first
	MACs      []string  `json:"macs"`             // of eth0, from which those of others are made: 02:00:00:00:00:01
}

// ReadIdentity reads state.json in the guest's directory dirfd. A missing file is
// fs.ErrNotExist; one that is truncated, damaged, of a newer schema or impossible
// is refused, and the error says why. Whether the name in it is that of the
// directory is left to the caller.
func ReadIdentity(dirfd int) (*Identity, error) {
	var id Identity
	if err := readFile(dirfd, identityFile, identityVersion, &id); err != nil {
		return nil, err
	}
	if err := id.check(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", identityFile, err)
	}
	return &id, nil
}

// WriteIdentity replaces state.json in the guest's directory dirfd, atomically and
// durably. It refuses what ReadIdentity would refuse.
func WriteIdentity(dirfd int, id *Identity) error {
	return writeIdentity(atomicfile.Write, dirfd, id)
}

// WriteNewIdentity is WriteIdentity for a guest under construction: it syncs nothing,
// which is left to whoever gives the guest its name.
func WriteNewIdentity(dirfd int, id *Identity) error {
	return writeIdentity(atomicfile.WriteVolatile, dirfd, id)
}

func writeIdentity(write writer, dirfd int, id *Identity) error {
	stored := *id
	stored.Version = identityVersion
	stored.CreatedAt = stored.CreatedAt.UTC()
	if err := stored.check(); err != nil {
		return fmt.Errorf("cannot write %s: %w", identityFile, err)
	}
	return writeFile(write, dirfd, identityFile, &stored)
}

func (id *Identity) check() error {
	for _, f := range []struct{ field, text string }{
		{"name", id.Name}, {"template", id.Template}, {"image", id.Image}, {"backend", id.Backend},
	} {
		if err := checkText(f.field, f.text); err != nil {
			return err
		}
	}
	if id.Name == "" || id.Name[0] == '.' || strings.Contains(id.Name, "/") {
		return fmt.Errorf("name: %.80q is not a guest's", id.Name)
	}
	if !slices.Contains([]string{"dir", "overlay", "btrfs", "shift"}, id.Backend) {
		return fmt.Errorf("backend: %.80q is unknown", id.Backend)
	}
	if year := id.CreatedAt.UTC().Year(); year < 1970 || year > 9999 {
		return errors.New("created_at: missing or impossible")
	}
	if !isHex(id.MachineID, 32) {
		return fmt.Errorf("machine_id: %.80q is not 32 hexadecimal digits", id.MachineID)
	}
	if err := checkIDs(id.IDBase, id.IDSize); err != nil {
		return err
	}
	return errors.Join(checkLayers(id.Layers), checkMACs(id.MACs))
}

// checkLayers refuses what can't be the name of a layer: it becomes part of a path.
func checkLayers(layers []string) error {
	for i, layer := range layers {
		if !isHex(layer, LayerDigits) {
			return fmt.Errorf("layers[%d]: %.80q is not a layer", i, layer)
		}
	}
	return nil
}

// LayerDigits is how many lower-case hexadecimal digits the name of a layer has.
const LayerDigits = 16

// minIDs is how many ids a guest needs at least: nobody, 65534, is one of them.
const minIDs = 65536

// checkIDs refuses ranges that reach into the host's own ids or past the last one.
// 2^32-1 is no id but "unchanged" for the kernel.
func checkIDs(base, size uint32) error {
	switch {
	case base == 0:
		return errors.New("id_base: 0 is the host's root")
	case size < minIDs:
		return fmt.Errorf("id_size: %d ids are not enough: a guest needs %d", size, minIDs)
	case uint64(base)+uint64(size) > 1<<32-1:
		return fmt.Errorf("id_size: %d ids from %d on are more than there are", size, base)
	}
	return nil
}

func checkMACs(macs []string) error {
	for i, mac := range macs {
		octets := strings.Split(mac, ":")
		ok := len(octets) == 6
		for _, octet := range octets {
			ok = ok && isHex(octet, 2)
		}
		if !ok {
			return fmt.Errorf("macs[%d]: %.80q is not a MAC address", i, mac)
		}
	}
	return nil
}

// isHex tells whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
