package main

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// settle gives a machine that went on from a saved state the time, and random numbers that differ from those of all others that did:
// guests' ids come from them.
func settle(now time.Time, seed []byte) error {
	ts, err := unix.TimeToTimespec(now)
	if err != nil {
		return err
	}
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("cannot set the clock: %w", err)
	}
	return reseed(seed)
}

// poolInfo is the kernel's struct rand_pool_info with 32 bytes. See random(4).
type poolInfo struct {
	bits int32
	size int32
	data [32]byte
}

func reseed(seed []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info := poolInfo{bits: 256, size: 32}
	copy(info.data[:], seed)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info))); e != 0 {
		return fmt.Errorf("cannot add to the random pool: %w", e)
	}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDRESEEDCRNG, 0); e != 0 {
		return fmt.Errorf("cannot reseed random numbers: %w", e)
	}
	return nil
}
