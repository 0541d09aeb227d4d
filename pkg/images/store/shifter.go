package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// shifter gives the files of one tree, of which nothing runs, other owners.
type shifter struct {
	attrCopier
	base uint32 // of the range that they are to be in
	was  uint32 // of the one before; 0: none
}

// id is where an id on disk goes: what the host's root has written is the guest's own id,
// what was shifted for another range comes along, and what is right stays.
func (s *shifter) id(id uint32) uint32 {
	switch {
	case id >= s.base && id < s.base+idsPerRange:
		return id
	case s.was != 0 && id >= s.was && id < s.was+idsPerRange:
		return id - s.was + s.base
	case id < idsPerRange:
		return id + s.base
	}
	return id
}

// tree goes through the directory at fd, O_PATH, and then does the directory itself.
func (s *shifter) tree(fd int) error {
	dir, err := openBeneath(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var names []string
	if err := eachEntry(dir, make([]byte, 32<<10), func(e entry) error { names = append(names, e.name); return nil }); err != nil {
		return err
	}
	for _, name := range names {
		if err := s.entry(dir, name); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return s.file(dir, "", fdPath(dir)+"/.")
}

func (s *shifter) entry(dir int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return s.file(dir, name, fdPath(dir)+"/"+name)
	}
	below, err := openBeneath(dir, name, unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	defer unix.Close(below)
	return s.tree(below)
}

// file does one file, or the directory at dir itself if name is empty. path is for
// attributes, only the last component of it is looked up. A new owner clears set-uid bits
// and file capabilities, so these are put back.
func (s *shifter) file(dir int, name, path string) error {
	var st unix.Stat_t
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := unix.Fstatat(dir, name, &st, flags); err != nil {
		return err
	}
	uid, gid := s.id(st.Uid), s.id(st.Gid)
	if uid == st.Uid && gid == st.Gid {
		return nil
	}
	caps, err := s.read(path, "security.capability")
	if err != nil {
		return err
	}
	if err := s.lists(path); err != nil {
		return err
	}
	if err := unix.Fchownat(dir, name, int(uid), int(gid), flags); err != nil {
		return err
	}
	if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 && st.Mode&unix.S_IFMT == unix.S_IFREG {
		if err := unix.Fchmodat(dir, name, st.Mode&0o7777, 0); err != nil {
			return err
		}
	}
	if caps = s.capability(caps); caps == nil {
		return nil
	}
	return attributed{path: path}.set("security.capability", caps)
}

// read gives an extended attribute, nil if the file has none of that name.
func (s *shifter) read(path, name string) ([]byte, error) {
	n, err := attributed{path: path}.get(name, s.value)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return append([]byte(nil), s.value[:n]...), nil
}

// capability makes file capabilities those of the range's root. Source: capabilities(7),
// struct vfs_ns_cap_data.
func (s *shifter) capability(value []byte) []byte {
	const revision3, flags, size = 0x03000000, 0x00ffffff, 20
	if len(value) < size {
		return nil
	}
	out := append([]byte(nil), value[:size]...)
	magic := binary.LittleEndian.Uint32(out)
	binary.LittleEndian.PutUint32(out, magic&flags|revision3)
	return append(out, binary.LittleEndian.AppendUint32(nil, s.base)...)
}

// lists shifts the users and groups of a file's access control lists. Source: acl(5) and
// the kernel's posix_acl_xattr.h.
func (s *shifter) lists(path string) error {
	const header, size, user, group = 4, 8, 0x02, 0x08
	for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
		value, err := s.read(path, name)
		if err != nil || len(value) < header {
			if err != nil {
				return err
			}
			continue
		}
		changed := false
		for e := value[header:]; len(e) >= size; e = e[size:] {
			tag, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint32(e[4:])
			if to := s.id(id); (tag == user || tag == group) && to != id {
				binary.LittleEndian.PutUint32(e[4:], to)
				changed = true
			}
		}
		if !changed {
			continue
		}
		if err := (attributed{path: path}).set(name, value); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}
