package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Shift keeps a full copy like Dir, whose files have the host's ids on disk: for file
// systems that can't map ids, and for a sysct that runs in a guest, which may not map
// those of a file system from outside it.
const Shift = "shift"

// shiftName is the file that says for which range the tree was last shifted whole.
const shiftName = "shifted"

// idsPerRange is how many ids on disk can be from before a shift.
const idsPerRange = 1 << 16

// shiftBackend is dirBackend but for the ids.
type shiftBackend struct {
	dirBackend
	base uint32
}

// openRoot gives every file its owner in the range before the tree is mounted as it is. All
// of it is looked at each time, since verbs write files as the host's root; only what isn't
// right yet is written to. A shift that was killed is repeated.
func (b shiftBackend) openRoot(g *guestDir, _ int) (int, error) {
	if b.base == 0 {
		return -1, errors.New("no range of ids to shift to")
	}
	fd, err := g.openDir(rootfsName)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	s := &shifter{attrCopier: newAttrCopier(), base: b.base, was: g.shifted()}
	if err := s.tree(fd); err != nil {
		return -1, fmt.Errorf("cannot shift the ids of %s/%s: %w", g.path, rootfsName, err)
	}
	if err := g.noteShifted(b.base); err != nil {
		return -1, err
	}
	mount, err := cloneMount(fd)
	if err != nil {
		return -1, explainPermission(err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(mount, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(mount)
		return -1, fmt.Errorf("cannot set mount attributes: %w", err)
	}
	return mount, nil
}

// rootOnDisk is the owner that the guest sees: what Reuse adds the base to.
func (b shiftBackend) rootOnDisk(g *guestDir) (*unix.Statx_t, error) {
	st, err := g.statBelow()
	if err == nil && st.Uid >= b.base && st.Gid >= b.base {
		st.Uid, st.Gid = st.Uid-b.base, st.Gid-b.base
	}
	return st, err
}

// copyGuest also copies what the ids are.
func (b shiftBackend) copyGuest(ctx context.Context, g, from *guestDir) error {
	if err := b.dirBackend.copyGuest(ctx, g, from); err != nil {
		return err
	}
	if was := from.shifted(); was != 0 {
		return g.noteShifted(was)
	}
	return nil
}

// shifted is the base of the last shift, 0 if there was none.
func (g *guestDir) shifted() uint32 {
	fd, err := openBeneath(g.fd, shiftName, unix.O_RDONLY, 0, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var buf [16]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return 0
	}
	base, err := strconv.ParseUint(strings.TrimSpace(string(buf[:n])), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(base)
}

// noteShifted comes after the shift: until then the file has the range before.
func (g *guestDir) noteShifted(base uint32) error {
	if g.shifted() == base {
		return nil
	}
	fd, err := openBeneath(g.fd, shiftName, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600, 0)
	if err == nil {
		_, err = unix.Write(fd, fmt.Appendf(nil, "%d\n", base))
		err = errors.Join(err, unix.Fsync(fd), unix.Close(fd))
	}
	if err != nil {
		return fmt.Errorf("cannot note the shift of %s: %w", g.path, err)
	}
	return nil
}
