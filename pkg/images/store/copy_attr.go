package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// attributed is a file whose extended attributes are read or written: by its
// descriptor or, if it can't be opened (a link, a device), by its path, of
// which only the last component is looked up.
type attributed struct {
	fd   int
	path string
}

func (a attributed) list(buf []byte) (int, error) {
	if a.path != "" {
		return unix.Llistxattr(a.path, buf)
	}
	return unix.Flistxattr(a.fd, buf)
}

func (a attributed) get(name string, buf []byte) (int, error) {
	if a.path != "" {
		return unix.Lgetxattr(a.path, name, buf)
	}
	return unix.Fgetxattr(a.fd, name, buf)
}

func (a attributed) set(name string, value []byte) error {
	if a.path != "" {
		return unix.Lsetxattr(a.path, name, value, 0)
	}
	return unix.Fsetxattr(a.fd, name, value, 0)
}

// attrCopier has the buffers to copy attributes with.
type attrCopier struct {
	value, list []byte
	without     string // a prefix of extended attributes that are left out
}

func newAttrCopier() attrCopier {
	const size = 64 << 10 // XATTR_SIZE_MAX, XATTR_LIST_MAX
	return attrCopier{value: make([]byte, size), list: make([]byte, size)}
}

// copyOpenAttributes gives the open target what the open source has: owner,
// mode, extended attributes with ACLs, times. The order matters: a new owner
// clears set-uid bits and file capabilities, and everything may change times.
func (c attrCopier) copyOpenAttributes(source, target int) error {
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return err
	}
	return c.copyOpenAttributesOf(source, target, &st)
}

func (c attrCopier) copyOpenAttributesOf(source, target int, st *unix.Stat_t) error {
	if err := unix.Fchown(target, int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("cannot set the owner: %w", err)
	}
	if err := unix.Fchmod(target, st.Mode&0o7777); err != nil {
		return fmt.Errorf("cannot set the mode: %w", err)
	}
	if err := c.copyExtended(attributed{fd: source}, attributed{fd: target}); err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(target, "", timesOf(st), unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot set the times: %w", err)
	}
	return nil
}

// copyNamedAttributes does the same for what can't be opened.
func (c attrCopier) copyNamedAttributes(at place, name string, st *unix.Stat_t) error {
	if err := unix.Fchownat(at.target, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot set the owner: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK { // a link has no mode; what else it is, we have just made
		if err := unix.Fchmodat(at.target, name, st.Mode&0o7777, 0); err != nil {
			return fmt.Errorf("cannot set the mode: %w", err)
		}
	}
	from := attributed{path: fdPath(at.source) + "/" + name}
	to := attributed{path: fdPath(at.target) + "/" + name}
	if err := c.copyExtended(from, to); err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(at.target, name, timesOf(st), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot set the times: %w", err)
	}
	return nil
}

func timesOf(st *unix.Stat_t) []unix.Timespec { return []unix.Timespec{st.Atim, st.Mtim} }

// copyExtended copies all extended attributes. One that the target can't keep
// is an error: a lost capability or ACL would show much later.
func (c attrCopier) copyExtended(from, to attributed) error {
	n, err := from.list(c.list)
	if errors.Is(err, unix.EOPNOTSUPP) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot list the extended attributes: %w", err)
	}
	for raw := range bytes.SplitSeq(bytes.TrimSuffix(c.list[:n], []byte{0}), []byte{0}) {
		name := string(raw)
		if c.without != "" && strings.HasPrefix(name, c.without) {
			continue
		}
		n, err := from.get(name, c.value)
		if err == nil {
			err = to.set(name, c.value[:n])
		}
		if err != nil {
			return fmt.Errorf("cannot copy the extended attribute %q: %w", name, err)
		}
	}
	return nil
}

// copyRootAttributes gives the directory name in dir the attributes of an
// image's root, less what overlay would take for its own marks.
func copyRootAttributes(image string, dir int, name string) error {
	clone, err := openSource(image)
	if err != nil {
		return err
	}
	defer unix.Close(clone)
	source, err := openBeneath(clone, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return copyError(image, err)
	}
	defer unix.Close(source)
	target, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return copyError(image, err)
	}
	defer unix.Close(target)
	c := newAttrCopier()
	c.without = "trusted.overlay."
	if err := c.copyOpenAttributes(source, target); err != nil {
		return copyError(image, err)
	}
	return nil
}
