// Package calls answers system calls of a guest that its filter hands to the monitor
// (seccomp_unotify(2)): sysinfo(2), with the guest's own figures. Of the others it asks
// its owner, and has the kernel carry them out. It knows neither how a filter is made
// (package seccomp) nor where figures come from (package figures).
//
//	guest: sysinfo(2) ─▶ listener ─▶ slot in shared memory ─▶ worker: figures, caller's
//	                                   a successor goes on here ─▶    memory, answer
//
// One worker, a thread of its own, does all of it, for writing to a caller's memory may
// block for as long as the guest likes: a page can be a file's whose server is a process of
// the guest's that doesn't answer. A worker that hangs is noticed and another one takes
// over; when too many hang, calls get the kernel's own answer.
package calls
