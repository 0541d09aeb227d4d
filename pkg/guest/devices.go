package guest

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits/devices"
)

// guestDevices finds the devices of a configuration on the host: ErrConfig if one isn't
// there, is another than it has to be, or is no guest's to have.
func guestDevices(cfg *spec.Guest) ([]sysctx.Device, error) {
	var list []sysctx.Device
	for i := range cfg.Device {
		d, err := guestDevice(&cfg.Device[i])
		if errors.Is(err, unix.ENOENT) && cfg.Device[i].Optional {
			continue
		}
		if errors.Is(err, unix.ENOENT) {
			err = fmt.Errorf("%s: the host has no such device\nhint: with optional = true the guest starts without it", cfg.Device[i].Path)
		}
		if err == nil && !cfg.Privileged {
			err = refuseDangerous(d.Rule)
		}
		if err != nil {
			return nil, as(ErrConfig, fmt.Errorf("device[%d]: %w", i, err))
		}
		list = append(list, *d)
	}
	return list, nil
}

func guestDevice(d *spec.Device) (*sysctx.Device, error) {
	rule := devices.Rule{Type: typeOf(d.Type), Major: numberOf(d.Major), Minor: numberOf(d.Minor), Access: accessOf(d.Access)}
	if d.Path != "" {
		node, err := nodeOf(d.Path)
		if err != nil {
			return nil, err
		}
		if rule.Type != devices.AnyType && rule.Type != node.Type || rule.Major != devices.Any && rule.Major != node.Major ||
			rule.Minor != devices.Any && rule.Minor != node.Minor {
			return nil, fmt.Errorf("%s is the %s, another than it has to be", d.Path, devices.Rule{Type: node.Type, Major: node.Major, Minor: node.Minor})
		}
		rule.Type, rule.Major, rule.Minor = node.Type, node.Major, node.Minor
	}
	return &sysctx.Device{Rule: rule, Name: d.Name(), Path: d.Path, Mode: d.Permissions(), UID: uint32(d.UID), GID: uint32(d.GID)}, nil
}

// nodeOf is what a node below the host's /dev stands for. A link there, as those in
// /dev/disk, is root's, and followed.
func nodeOf(path string) (devices.Rule, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return devices.Rule{}, fmt.Errorf("cannot find %s: %w", path, err)
	}
	rule := devices.Rule{Major: int32(unix.Major(st.Rdev)), Minor: int32(unix.Minor(st.Rdev))}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		rule.Type = devices.Char
	case unix.S_IFBLK:
		rule.Type = devices.Block
	default:
		return rule, fmt.Errorf("%s is no device", path)
	}
	return rule, nil
}

func typeOf(word string) devices.Type {
	switch word {
	case "char":
		return devices.Char
	case "block":
		return devices.Block
	}
	return devices.AnyType
}

func numberOf(n *int64) int32 {
	if n == nil {
		return devices.Any
	}
	return int32(*n)
}

func accessOf(letters string) (a devices.Access) {
	if letters == "" {
		letters = spec.DeviceAccess
	}
	for _, c := range letters {
		a |= map[rune]devices.Access{'r': devices.Read, 'w': devices.Write, 'm': devices.Mknod}[c]
	}
	return a
}

// refuseDangerous refuses what would give the guest the host.
func refuseDangerous(rule devices.Rule) error {
	if rule.Access&(devices.Read|devices.Write) == 0 {
		return nil
	}
	what, err := rule.Dangerous()
	if err != nil {
		return err
	}
	if what != "" {
		return fmt.Errorf("the %s would give it the host: %s\nhint: only a guest with privileged = true can have it", rule, what)
	}
	if rule.Type == devices.Char {
		return nil
	}
	disks, err := hostDisks()
	if err != nil {
		return err
	}
	for _, d := range disks {
		if rule.Covers(d.rule) {
			return fmt.Errorf("the %s is in use by the host: %s\nhint: only a guest with privileged = true can have it", rule, d.use)
		}
	}
	return nil
}
