package devices

import (
	"fmt"
	"strconv"
)

// dangerous are character devices whose holder has the host, or can end it: those with numbers
// that are the same everywhere. Source: the kernel's Documentation/admin-guide/devices.txt.
var dangerous = [...]struct {
	major, first, last int32
	what               string
}{
	{1, 1, 1, "the host's memory"},
	{1, 2, 2, "the kernel's memory"},
	{1, 4, 4, "the input and output ports"},
	{1, 11, 11, "the kernel's log"},
	{1, 12, 12, "the memory of a kernel that crashed"},
	{4, 0, 63, "the host's consoles"},
	{7, 0, 255, "the content of the host's consoles"},
	{10, 1, 1, whatInput},
	{10, 130, 130, whatWatchdog},
	{10, 144, 144, "the non-volatile memory of the firmware"},
	{10, 196, 196, whatBus},
	{10, 203, 203, whatCuse},
	{10, 223, 223, "input to the host as from a keyboard"},
	{10, 231, 231, "an image of the host's memory"},
	{10, 236, 236, "the device mapper"},
	{10, 239, 240, "input to the host as from a keyboard"},
	{13, 0, Any, whatInput},
	{21, 0, Any, whatDisks},
	{90, 0, Any, whatFlash},
	{162, 0, Any, "the host's disks"},
	{202, 0, Any, "the processors' registers"},
}

// Dangerous says what r would give away, if anything of it would give a guest the host, by its
// numbers and by what the host has at them now. Disks aren't judged: which of them the host
// uses isn't in their numbers.
func (r Rule) Dangerous() (string, error) {
	if r.Type == Block {
		return "", nil
	}
	if what := r.byNumbers(); what != "" {
		return what, nil
	}
	return r.byClass("/")
}

func (r Rule) byNumbers() string {
	for _, d := range dangerous {
		if r.Major != Any && r.Major != d.major {
			continue
		}
		if r.Minor == Any || r.Minor >= d.first && (d.last == Any || r.Minor <= d.last) {
			return d.what
		}
	}
	return ""
}

// Covers tells whether r is about the device that other names.
func (r Rule) Covers(other Rule) bool {
	return (r.Type == AnyType || r.Type == other.Type) && (r.Major == Any || r.Major == other.Major) && (r.Minor == Any || r.Minor == other.Minor)
}

// Numbers is MAJOR:MINOR, with * for any.
func (r Rule) Numbers() string { return number(r.Major) + ":" + number(r.Minor) }

// String is the device in words: "block device 8:1".
func (r Rule) String() string {
	kind := "device"
	switch r.Type {
	case Block:
		kind = "block device"
	case Char:
		kind = "character device"
	}
	return fmt.Sprintf("%s %s", kind, r.Numbers())
}

func number(n int32) string {
	if n == Any {
		return "*"
	}
	return strconv.Itoa(int(n))
}
