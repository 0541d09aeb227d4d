package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	whatDisks    = "raw commands to the host's disks"
	whatInput    = "input to the host, and what its keyboards say"
	whatBus      = "a device on the host's bus, with its access to memory"
	whatWatchdog = "the watchdog, which resets the host"
	whatFlash    = "the host's flash memory, which its firmware is in"
	whatCuse     = "making devices on the host"
)

// dangerousClass is what a class of sysfs, or the driver of a major number, would give away.
func dangerousClass(class string) string {
	switch class {
	case "watchdog":
		return whatWatchdog
	case "nvme", "nvme-generic", "bsg", "scsi_generic", "sg":
		return whatDisks
	case "nd", "ndctl", "dimmctl":
		return "raw commands to the host's persistent memory"
	case "mtd":
		return whatFlash
	case "vfio", "vfio-dev", "uio":
		return whatBus
	case "vc", "vcs":
		return "the content of the host's consoles"
	case "input":
		return whatInput
	case "usbmon":
		return "what goes over the host's USB, its keyboards' input among it"
	case "msr", "cpu/msr":
		return "the processors' registers"
	case "ipmi", "ipmidev":
		return "the management controller, which resets the host"
	case "mei":
		return "the management engine of the host"
	}
	return ""
}

// dangerousMisc is the same of the devices of class misc, which have little in common but
// their major number; their minor numbers may be any.
func dangerousMisc(name string) string {
	switch name {
	case "watchdog":
		return whatWatchdog
	case "uhid", "uinput", "userio", "psaux":
		return whatInput
	case "userfaultfd":
		return "the kernel's own page faults, which their handler can hold up"
	case "vfio", "iommu":
		return whatBus
	case "nvram":
		return "the non-volatile memory of the firmware"
	case "snapshot":
		return "an image of the host's memory"
	case "device-mapper":
		return "the device mapper"
	case "nvme-fabrics", "mpt2ctl", "mpt3ctl":
		return whatDisks
	case "cuse":
		return whatCuse
	}
	return ""
}

// dangerousMem is of class mem, whose other devices every guest has.
func dangerousMem(name string) string {
	if slices.Contains([]string{"null", "zero", "full", "random", "urandom"}, name) {
		return ""
	}
	return "the host's memory"
}

// byClass judges by what the system below root knows of the numbers: the devices that are
// there, by their class, and the drivers that have a major number, for devices that aren't
// yet. Source: the kernel's Documentation/admin-guide/sysfs-rules.rst, proc_devices(5).
func (r Rule) byClass(root string) (string, error) {
	dir := filepath.Join(root, "sys/dev/char")
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot look for devices: %w", err)
	}
	for _, entry := range list {
		if d := (Rule{Type: Char}); !scanNumbers(entry.Name(), &d) || !r.Covers(d) {
			continue
		}
		if what, err := judgeNode(filepath.Join(dir, entry.Name())); what != "" || err != nil {
			return what, err
		}
	}
	return r.byDriver(filepath.Join(root, "proc/devices"))
}

func scanNumbers(text string, r *Rule) bool {
	n, err := fmt.Sscanf(text, "%d:%d", &r.Major, &r.Minor)
	return err == nil && n == 2
}

// judgeNode judges the device that a link in sysfs leads to.
func judgeNode(link string) (string, error) {
	device, err := os.Readlink(link)
	if err == nil {
		var class string
		if class, err = os.Readlink(link + "/subsystem"); err == nil {
			return dangerousNode(filepath.Base(class), filepath.Base(device)), nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) { // of no class, or gone meanwhile
		return "", nil
	}
	return "", fmt.Errorf("cannot judge device: %w", err)
}

func dangerousNode(class, name string) string {
	switch class {
	case "misc":
		return dangerousMisc(name)
	case "mem":
		return dangerousMem(name)
	}
	return dangerousClass(class)
}

// byDriver judges by the name under which a driver has taken the major number.
func (r Rule) byDriver(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the drivers of devices: %w", err)
	}
	chars, _, _ := strings.Cut(string(text), "\n\n") // the block devices come behind
	for line := range strings.Lines(chars) {
		var major int32
		var name string
		if n, _ := fmt.Sscanf(line, "%d %s", &major, &name); n != 2 || r.Major != Any && r.Major != major {
			continue
		}
		if what := dangerousClass(name); what != "" {
			return what, nil
		}
	}
	return "", nil
}
