package context

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/ns"
)

// NewViews makes a file system that is asked of who reads dev, a nonblocking descriptor of
// /dev/fuse. mount is detached. It is made on the host's side, whose user namespace it is:
// the guest can neither make it writable nor abort its connection. Source: fuse(4).
func NewViews(ids ns.IDRange) (dev, mount int, err error) {
	dev, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("open /dev/fuse: %w", err)
	}
	root := strconv.FormatUint(uint64(ids.Base), 10)
	mount, err = mounts.New("fuse", ViewSource, []mounts.Option{{Key: "subtype", Value: ViewSource}, {Key: "fd", Value: strconv.Itoa(dev)},
		{Key: "rootmode", Value: "40555"}, {Key: "user_id", Value: root}, {Key: "group_id", Value: root},
		{Key: "allow_other"}, {Key: "default_permissions"}, {Key: "ro"}}, mounts.AttrReadonly|mounts.AttrNosuid|mounts.AttrNodev|mounts.AttrNoexec)
	if err != nil {
		unix.Close(dev)
		return -1, -1, err
	}
	return dev, mount, nil
}

// ViewSource is what the views' file system has for a source and a subtype in lists of mounts.
const ViewSource = "sysct"

// makeViews: a host that can't do it starts the guest all the same.
func (l *launch) makeViews() error {
	if len(l.spec.Views) == 0 || l.opt.ServeViews == nil {
		return nil
	}
	dev, mount, err := NewViews(l.spec.IDs)
	if err != nil {
		if l.opt.Warn != nil {
			l.opt.Warn("the guest sees the host's figures in /proc/meminfo and its like: " + err.Error())
		}
		return nil
	}
	l.views = mount
	l.opt.ServeViews(dev, l.stage.pid)
	return nil
}

func (l *launch) dropViews() { closeFD(&l.views) }
