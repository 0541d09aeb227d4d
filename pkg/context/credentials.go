package context

import (
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/ns"
)

// newCredentials makes the guest's /run/host/credentials as a detached mount: files that
// only the guest's root can read, on a file system that is never written to a swap space.
// The host makes it, so that the guest can't make its superblock writable again: ramfs
// has no bound. Source: systemd's CONTAINER_INTERFACE and systemd.exec(5), LoadCredential=.
func newCredentials(list []Credential, ids ns.IDRange) (int, error) {
	fd, err := mounts.New("ramfs", "credentials", []mounts.Option{{Key: "mode", Value: "0500"}},
		mounts.AttrNosuid|mounts.AttrNodev|mounts.AttrNoexec)
	if err != nil {
		return -1, err
	}
	err = unix.Fchownat(fd, "", int(ids.Base), int(ids.Base), unix.AT_EMPTY_PATH)
	for _, c := range list {
		if err == nil {
			err = writeCredential(fd, c, ids)
		}
	}
	if err == nil {
		err = mounts.Seal(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func writeCredential(dir int, c Credential, ids ns.IDRange) error {
	path := "/run/host/credentials/" + c.Name
	fd, err := unix.Openat(dir, c.Name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o400)
	if err != nil {
		return &mounts.CallError{Call: "openat", Path: path, Err: err}
	}
	defer unix.Close(fd)
	for data := c.Data; len(data) > 0; {
		n, err := unix.Write(fd, data)
		if err != nil {
			return &mounts.CallError{Call: "write", Path: path, Err: err}
		}
		data = data[n:]
	}
	if err := unix.Fchown(fd, int(ids.Base), int(ids.Base)); err != nil {
		return &mounts.CallError{Call: "fchown", Path: path, Err: err}
	}
	return nil
}
