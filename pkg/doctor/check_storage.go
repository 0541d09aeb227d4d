package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

// directories: what is root's alone has to be.
func directories(h *Host) []Finding {
	var bad []Finding
	for _, d := range []struct {
		name, path string
		open       uint32 // mode bits that others may not have
	}{{"state", h.Dirs.State, 0o077}, {"cache", h.Dirs.Cache, 0o022}, {"run", h.Dirs.Run, 0o077}, {"log", h.Dirs.Log, 0o077}} {
		uid, mode, ok := h.Stat(d.path)
		switch {
		case !ok:
		case uid != 0:
			bad = append(bad, Finding{Severity: Problem, Found: fmt.Sprintf("the %s directory %s is user %d's", d.name, d.path, uid),
				Why: "who owns it can change guests, or what runs as root", Mend: "chown root:root " + d.path})
		case mode&d.open&0o022 != 0:
			bad = append(bad, Finding{Severity: Problem, Found: fmt.Sprintf("others may write to the %s directory %s (mode %04o)", d.name, d.path, mode&0o7777),
				Why: "they can change guests, or what runs as root", Mend: fmt.Sprintf("chmod %#o %s", mode&0o7777&^d.open, d.path)})
		case mode&d.open != 0:
			bad = append(bad, Finding{Severity: Warning, Found: fmt.Sprintf("others may enter the %s directory %s (mode %04o)", d.name, d.path, mode&0o7777),
				Why: "they can run setuid programs of guests, or read what guests keep to themselves", Mend: fmt.Sprintf("chmod %#o %s", mode&0o7777&^d.open, d.path)})
		}
	}
	return orFine(bad, "state %s, cache %s, run %s, log %s", h.Dirs.State, h.Dirs.Cache, h.Dirs.Run, h.Dirs.Log)
}

// mountOptions: a guest's root inherits those of the state and cache directories.
func mountOptions(h *Host) []Finding {
	var bad []Finding
	for _, d := range []struct{ name, path string }{{"state", h.Dirs.State}, {"cache", h.Dirs.Cache}, {"log", h.Dirs.Log}, {"run", h.Dirs.Run}} {
		fs, err := h.FileSystem(d.path)
		if err != nil {
			return unknown(err)
		}
		programs := d.name == "state" || d.name == "cache"
		add := func(s Severity, option, why, mend string) {
			bad = append(bad, Finding{Severity: s, Found: fmt.Sprintf("the %s directory %s is mounted %s", d.name, d.path, option), Why: why,
				Mend: fmt.Sprintf("mount -o remount,%s $(findmnt -no TARGET -T %s)", mend, d.path)})
		}
		if fs.ReadOnly {
			add(Problem, "ro", "nothing can be made or started", "rw")
		}
		if programs && fs.NoExec {
			add(Problem, "noexec", "no program of a guest, and no monitor, can be executed", "exec")
		}
		if programs && fs.NoSuid {
			add(Warning, "nosuid", "sudo, su and ping don't work in guests", "suid")
		}
	}
	return orFine(bad, "nothing that hinders guests")
}

// idmappedMounts: without them no guest has its ids.
func idmappedMounts(h *Host) []Finding {
	if h.Nested {
		return nestedMaps(h)
	}
	var all []Finding
	for _, d := range []struct{ name, path string }{{"state", h.Dirs.State}, {"cache", h.Dirs.Cache}} {
		kind := "unknown"
		if fs, err := h.FileSystem(d.path); err == nil {
			kind = fs.Type
		}
		if err := h.Try(TryIDMap.On(d.path)); err != nil {
			all = append(all, Finding{Severity: Problem, Found: fmt.Sprintf("%s, the file system of the %s directory %s, can't map ids: %v", kind, d.name, d.path, cause(err)),
				Why:  "files have a guest's own ids on disk and are mapped when they are mounted",
				Mend: mendOf(err, fmt.Sprintf("use a directory on ext4, xfs, btrfs or f2fs: --%s-dir DIR, SYSCT_%s_DIR, or %s_dir in /etc/sysct/sysct.toml", d.name, strings.ToUpper(d.name), d.name))})
			continue
		}
		all = append(all, Fine("%s directory: %s maps ids", d.name, kind))
	}
	return all
}

// cause is the kernel's word in an error that says all that is said here itself.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func overlay(h *Host) []Finding {
	err := h.Try(TryOverlay)
	if errors.Is(err, errUntried) {
		return fine("%v", err)
	}
	if err != nil && h.Nested {
		return []Finding{{Severity: Note, Found: "no overlay over mapped layers", Why: "each guest is a full copy of its image here, which takes time and space"}}
	}
	if err != nil {
		return []Finding{{Severity: Warning, Found: fmt.Sprintf("no overlay over mapped layers in %s: %v", h.Dirs.State, err),
			Why: "a guest is a copy of its image then, which takes time and space", Mend: "keep the state directory on ext4, xfs or btrfs: findmnt -T " + h.Dirs.State}}
	}
	return fine("guests can share an image: layers with mapped ids work")
}

// copies: cheap ones are a comfort.
func copies(h *Host) []Finding {
	fs, err := h.FileSystem(h.Dirs.State)
	if err != nil {
		return unknown(err)
	}
	if fs.Type == "btrfs" {
		return fine("btrfs: a guest is a subvolume, a copy a snapshot")
	}
	if err := h.Try(TryReflink.On(h.Dirs.State)); err != nil {
		return fine("%s shares no blocks between files: a full copy takes time and space", fs.Type)
	}
	return fine("%s shares blocks: a full copy takes neither much time nor space", fs.Type)
}

// Below these a file system is full, or nearly so: bytes, and inodes in percent.
const (
	fullBytes   = 256 << 20
	lowBytes    = 2 << 30
	lowPercent  = 5
	fullPercent = 1
)

func space(h *Host) []Finding {
	var bad []Finding
	seen := map[FileSystem]bool{}
	free := ""
	for _, d := range []struct{ name, path string }{{"state", h.Dirs.State}, {"cache", h.Dirs.Cache}, {"log", h.Dirs.Log}} {
		fs, err := h.FileSystem(d.path)
		if err != nil {
			return unknown(err)
		}
		if d.name == "state" {
			free = size(fs.Free)
		}
		if seen[*fs] {
			continue
		}
		seen[*fs] = true
		f := Finding{Why: "creates, logs and guests' own writes fail when it is full", Mend: "sysct gc; df -h " + d.path}
		switch {
		case fs.Free < fullBytes:
			f.Severity, f.Found = Problem, fmt.Sprintf("%s free for the %s directory %s", size(fs.Free), d.name, d.path)
		case fs.Free < lowBytes:
			f.Severity, f.Found = Warning, fmt.Sprintf("only %s free for the %s directory %s", size(fs.Free), d.name, d.path)
		case fs.Inodes > 0 && fs.FreeInodes*100 < fs.Inodes*lowPercent:
			f.Severity, f.Found = Warning, fmt.Sprintf("only %d of %d inodes free for the %s directory %s", fs.FreeInodes, fs.Inodes, d.name, d.path)
			if fs.FreeInodes*100 < fs.Inodes*fullPercent {
				f.Severity = Problem
			}
			f.Mend = "sysct gc; df -i " + d.path
		default:
			continue
		}
		bad = append(bad, f)
	}
	return orFine(bad, "%s free for guests", free)
}

// size is a number of bytes for people.
func size(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
