package store

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// overlayLayers are the directories of one overlay, open. upper and work are
// on one mount.
type overlayLayers struct {
	upper, work int
	lower       []int // the top one first
}

// named puts words for the descriptors into a text of the kernel's.
func (l overlayLayers) named(text string) string {
	return strings.NewReplacer(fdPath(l.upper), "upper", fdPath(l.work), "work").Replace(text)
}

// A handing is a way to name the layers to the kernel, by its age.
type handing int

const (
	byDescriptor handing = iota // FSCONFIG_SET_FD, Linux 6.13
	byPath                      // lowerdir+, Linux 6.7
	byList                      // lowerdir=a:b:c, if that fits in a string option
)

// maxOption is the length of a string option of fsconfig(2), less its zero.
const maxOption = 255

// attachedWays are the ways to hand over attached layers, best first. Where the
// list does it, lowerdir+ isn't tried: before 6.7 that writes to the kernel's
// log.
func (l overlayLayers) attachedWays() []handing {
	if len(l.lowerList()) <= maxOption {
		return []handing{byDescriptor, byList}
	}
	return []handing{byDescriptor, byPath}
}

// overlayOptions: redirect_dir lets the guest rename directories of the image;
// metacopy and index would tie upper to the very files of this image.
func overlayOptions(source string) [][2]string {
	return [][2]string{
		{"source", source}, {"redirect_dir", "on"}, {"index", "off"}, {"metacopy", "off"}, {"xino", "auto"},
	}
}

// newOverlay returns a detached overlay mount, trying the ways in order.
func newOverlay(l overlayLayers, source string, attrs int, ways ...handing) (int, error) {
	var err error
	for _, way := range ways {
		var fd int
		fd, err = tryOverlay(l, source, attrs, way)
		if err == nil {
			return fd, nil
		}
		if !unknownWay(err) {
			return -1, err
		}
	}
	if len(l.lowerList()) > maxOption {
		err = fmt.Errorf("%w (for a kernel before 6.7, %d layers are too many)", err, len(l.lower))
	}
	return -1, err
}

// unknownWay is true of what kernels answer to a way that they don't know, and
// before 6.15 to layers that are detached.
func unknownWay(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.EOPNOTSUPP)
}

func tryOverlay(l overlayLayers, source string, attrs int, way handing) (int, error) {
	ctx, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.ENODEV) {
		return -1, errors.New("this kernel has no overlay file system")
	}
	if err != nil {
		return -1, explainPermission(fmt.Errorf("cannot open the overlay file system: %w", err))
	}
	defer unix.Close(ctx)
	if err := configureOverlay(ctx, l, source, way); err != nil {
		return -1, fmt.Errorf("cannot set up the overlay: %w%s", err, l.named(kernelLog(ctx)))
	}
	if err := retry(func() error { return unix.FsconfigCreate(ctx) }); err != nil {
		return -1, explainPermission(fmt.Errorf("cannot make the overlay: %w%s", err, l.named(kernelLog(ctx))))
	}
	fd, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return -1, fmt.Errorf("cannot mount the overlay: %w%s", err, kernelLog(ctx))
	}
	if err := refuseReadOnly(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// refuseReadOnly finds an overlay that came up read-only. The kernel does that
// without an error if it can't use work.
func refuseReadOnly(fd int) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return fmt.Errorf("cannot look at the overlay: %w", err)
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return errors.New("the overlay is read-only: the file system of upper and work can't be its upper one")
	}
	return nil
}

func configureOverlay(ctx int, l overlayLayers, source string, way handing) error {
	for _, o := range overlayOptions(source) {
		if err := unix.FsconfigSetString(ctx, o[0], o[1]); err != nil {
			return fmt.Errorf("option %s: %w", o[0], err)
		}
	}
	hand := func(key string, fd int) error {
		if way == byDescriptor {
			return unix.FsconfigSetFd(ctx, key, fd)
		}
		return unix.FsconfigSetString(ctx, key, fdPath(fd))
	}
	if way == byList {
		if err := unix.FsconfigSetString(ctx, "lowerdir", l.lowerList()); err != nil {
			return fmt.Errorf("the layers below: %w", err)
		}
	} else {
		for _, fd := range l.lower {
			if err := hand("lowerdir+", fd); err != nil {
				return fmt.Errorf("a layer below: %w", err)
			}
		}
	}
	if err := hand("upperdir", l.upper); err != nil {
		return fmt.Errorf("upper: %w", err)
	}
	if err := hand("workdir", l.work); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return nil
}

// lowerList names the layers below in one string. The names are those of
// descriptors, so they have no character that overlay would want escaped.
func (l overlayLayers) lowerList() string {
	names := make([]string, len(l.lower))
	for i, fd := range l.lower {
		names[i] = fdPath(fd)
	}
	return strings.Join(names, ":")
}

// kernelLog returns what the kernel wrote about a failed call into its context,
// to be put behind the error.
func kernelLog(ctx int) string {
	var said []string
	buf := make([]byte, 1024)
	for range 8 {
		n, err := unix.Read(ctx, buf)
		if err != nil || n <= 2 {
			break
		}
		// "e overlay: text\n"
		said = append(said, strings.TrimSpace(string(buf[2:n])))
	}
	if len(said) == 0 {
		return ""
	}
	return " (" + strings.Join(said, "; ") + ")"
}
