package spec

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Device is an entry of [[device]].
type Device struct {
	// The device's node on the host, below /dev; what kind of device it is and its
	// numbers are taken from it when the guest starts. If type, major or minor are there
	// too, it has to be that device. Without a path they say which device is meant.
	// Default: none
	// Change: restart
	// Example: "/dev/snd/timer"
	Path string `toml:"path"`

	// The kind of the device: "char" or "block".
	// Default: none
	// Change: restart
	// Example: "char"
	Type string `toml:"type"`

	// The major number of the device.
	// Unit: a number, 0 to 4095
	// Default: that of the path, or all, which only a privileged guest can have
	// Change: restart
	// Example: 116
	Major *int64 `toml:"major"`

	// The minor number of the device.
	// Unit: a number, 0 to 1048575
	// Default: that of the path, or all
	// Change: restart
	// Example: 33
	Minor *int64 `toml:"minor"`

	// What the guest may do with it: "r" is to read, "w" to write, "m" to make nodes.
	// Default: "rwm"
	// Change: restart
	// Example: "r"
	Access string `toml:"access"`

	// Where the guest has the node, below /dev. A device without a path that has no
	// target may be used, but has no node.
	// Default: as the path
	// Change: restart
	// Example: "/dev/snd/timer"
	Target string `toml:"target"`

	// The permissions of the node in the guest.
	// Unit: an octal number of up to four digits
	// Default: "0660"
	// Change: restart
	// Example: "0666"
	Mode string `toml:"mode"`

	// The user in the guest who owns the node.
	// Unit: a number
	// Default: 0
	// Change: restart
	UID int64 `toml:"uid"`

	// The group in the guest that owns the node.
	// Unit: a number
	// Default: 0
	// Change: restart
	GID int64 `toml:"gid"`

	// Whether the guest is started without the device if the host doesn't have it.
	// Default: false
	// Change: restart
	Optional bool `toml:"optional"`
}

// Bounds of devices: what the kernel's dev_t has, and what a guest's /dev has room for.
const (
	maxDevices = 128
	maxMajor   = 1<<12 - 1
	maxMinor   = 1<<20 - 1
	maxGuestID = 1<<16 - 1
)

// What a device has that says nothing else.
const (
	DeviceAccess = "rwm"
	DeviceMode   = "0660"
)

// Name is where in the guest's /dev the node is; empty: it has none.
func (d *Device) Name() string {
	target := d.Target
	if target == "" {
		target = d.Path
	}
	return strings.TrimPrefix(target, "/dev/")
}

// Permissions are the node's.
func (d *Device) Permissions() uint32 {
	mode, err := strconv.ParseUint(d.Mode, 8, 32)
	if err != nil {
		return 0o660
	}
	return uint32(mode)
}

func checkDevices(list []Device, privileged bool, fail report) {
	if len(list) > maxDevices {
		fail("device", "%d entries: the most is %d", len(list), maxDevices)
		return
	}
	at := map[string]string{}
	for i := range list {
		key := indexPath("device", i)
		list[i].check(key, privileged, fail)
		name := list[i].Name()
		if other := clashing(name, at); name != "" && other != "" {
			fail(key+".target", "%s clashes with that of %s", show("/dev/"+name), other)
		}
		at[name] = key
	}
}

// clashing finds the entry whose node is the same, or below or above it.
func clashing(name string, at map[string]string) string {
	for other, key := range at {
		if other != "" && (other == name || strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/")) {
			return key
		}
	}
	return ""
}

func (d *Device) check(key string, privileged bool, fail report) {
	switch {
	case d.Path == "" && d.Type == "":
		fail(key+".path", "is missing: it must be a node below /dev, unless there is a type and a major number")
	case d.Path != "":
		if err := checkNode(d.Path); err != nil {
			fail(key+".path", "%s", err)
		}
	case d.Major == nil && !privileged:
		fail(key+".major", "is missing: only a privileged guest can have all devices")
	case d.Target != "" && d.Minor == nil:
		fail(key+".target", "a node needs a major and a minor number")
	}
	d.checkNumbers(key, fail)
	if strings.Trim(d.Access, "rwm") != "" || len(d.Access) > len("rwm") {
		fail(key+".access", "%s has other letters than r, w and m", show(d.Access))
	}
	if d.Target != "" {
		if err := checkNode(d.Target); err != nil {
			fail(key+".target", "%s", err)
		}
	}
	if err := checkPlace(d.Name()); d.Name() != "" && err != nil {
		fail(key+".target", "%s", err)
	}
	if mode, err := strconv.ParseUint(d.Mode, 8, 32); d.Mode != "" && (err != nil || mode > 0o777) {
		fail(key+".mode", "%s is not an octal number from 0 to 0777", show(d.Mode))
	}
	checkRange(key+".uid", d.UID, 0, maxGuestID, fail)
	checkRange(key+".gid", d.GID, 0, maxGuestID, fail)
}

func (d *Device) checkNumbers(key string, fail report) {
	if d.Type != "" {
		checkWord(key+".type", d.Type, []string{"char", "block"}, fail)
	}
	if d.Major != nil {
		checkRange(key+".major", *d.Major, 0, maxMajor, fail)
	}
	if d.Minor != nil {
		checkRange(key+".minor", *d.Minor, 0, maxMinor, fail)
		if d.Major == nil {
			fail(key+".minor", "makes no sense without a major number")
		}
	}
}

// checkNode takes the path of something below /dev.
func checkNode(name string) error {
	if !strings.HasPrefix(name, "/dev/") || path.Clean(name) != name {
		return fmt.Errorf("%s is not the plain path of a node below /dev", show(name))
	}
	return nil
}

// checkPlace refuses what every guest's /dev has already.
func checkPlace(name string) error {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue",
		"fd", "stdin", "stdout", "stderr", "core", "log", ".sysct":
		return fmt.Errorf("the guest has a %s of its own", show("/dev/"+first))
	}
	return nil
}
