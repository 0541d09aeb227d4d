package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func openFUSE() (int, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/fuse", Err: err}
	}
	return fd, nil
}

func tryFUSE() error {
	fd, err := openFUSE()
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// Of linux/fuse.h: where fuse_init_in's flags2 lies behind the header, the request's
// number, and FUSE_HAS_RESEND (bit 39 of both flags).
const (
	fuseOpcode    = 4
	fuseInit      = 26
	fuseFlags2    = 40 + 16
	fuseHasResend = 1 << (39 - 32)
)

// tryResend makes a FUSE file system that is mounted nowhere and reads what the
// kernel offers in its first request.
func tryResend() error {
	fuse, err := openFUSE()
	if err != nil {
		return err
	}
	defer unix.Close(fuse)
	ctx, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(ctx)
	for _, o := range [][2]string{{"source", "sysct-doctor"}, {"fd", strconv.Itoa(fuse)}, {"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"}} {
		if err := unix.FsconfigSetString(ctx, o[0], o[1]); err != nil {
			return fmt.Errorf("fsconfig %s: %w", o[0], err)
		}
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return os.NewSyscallError("fsconfig", err)
	}
	request := make([]byte, 16<<10)
	n, err := unix.Read(fuse, request)
	if err != nil {
		return os.NewSyscallError("read", err)
	}
	if n < fuseFlags2+4 || binary.NativeEndian.Uint32(request[fuseOpcode:]) != fuseInit {
		return errors.New("the kernel's first request isn't what is known")
	}
	if binary.NativeEndian.Uint32(request[fuseFlags2:])&fuseHasResend == 0 {
		return errors.New("the kernel doesn't offer it")
	}
	return nil
}
