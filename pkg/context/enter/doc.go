// Package enter starts a program inside a running guest.
//
// It is for sysct's own exec and shell, and for the commands that a monitor
// runs in its guest (halt, ready_cmd). It is not for starting guests (package
// context), and it decides no policy: the capabilities that stay and the
// seccomp filter are handed in.
//
// A Go program cannot join a user namespace: setns refuses it in a process
// with threads. So the one fork here is a raw one, whose child is a copy with
// a single thread that makes nothing but raw system calls, on memory that the
// parent filled before:
//
//	parent, one locked thread            child, in the guest's pid namespace from birth
//	─────────────────────────            ──────────────────────────────────────────────
//	prepare every string and array
//	setns(pidfd, NEWPID)
//	clone3(INTO_CGROUP leaf, PIDFD) ───▶ not dumpable (CVE-2016-9962, 2016-8649)
//	setns(self, NEWPID)                  "0" into each v1 tasks file
//	                                     files to 0, 1, 2; nothing else stays open (CVE-2024-21626)
//	                                     a session keyring, a session
//	                                     setns(pidfd, USER|NS|NET|UTS|IPC|CGROUP|TIME)
//	                                     terminal, signals, umask, limits
//	take the filter's listener ◀──────── bounding set, ids, keyring, filter, capabilities
//	                                     chdir, and a look at where that led
//	read the report socket ◀──────────── execve along PATH: it closes; or {step, errno}
//
// The program that enters needs no copy of itself (CVE-2019-5736): a guest can
// make the kernel run it inside and can open it there, but its owner, the
// host's root, is nobody in any guest. Files must not be terminals of the host:
// whoever has one passes pipes or a terminal of OpenPTY.
//
// Only the thread's namespace for children is changed before the fork, so one
// fork is enough: there is no process between parent and child, wait statuses
// arrive as they are, and the child's pidfd comes from clone3 itself.
package enter
