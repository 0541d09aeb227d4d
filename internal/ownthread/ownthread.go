// Package ownthread runs a function on a thread that ends with it: what enters a namespace
// or makes one for its children can't be given back to the runtime.
package ownthread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Run runs f on a thread that ends with it, and returns what f does. It is never the
// process's main thread, which can't end, and which everybody sees in /proc/PID: its
// namespaces would be taken for the process's.
func Run(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked, so the runtime ends the thread with the goroutine.
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- f()
			return
		}
		// While the main thread is kept here, the next goroutine must get another one.
		defer runtime.UnlockOSThread()
		done <- Run(f)
	}()
	return <-done
}

// OneCPU binds the calling thread, which is to end soon, to one processor: each has a queue of
// its own at the other end of a veth, so what is sent from two may change its order.
func OneCPU() error {
	var one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &one); err != nil {
		return err
	}
	for cpu := range 1024 {
		if one.Count() > 1 {
			one.Clear(cpu)
		}
	}
	return unix.SchedSetaffinity(0, &one)
}
