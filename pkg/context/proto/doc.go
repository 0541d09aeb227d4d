// Package proto is what the parent of a context and its stage say to each other:
// one SOCK_SEQPACKET socket, one message a packet, file descriptors beside it by
// name.
//
//	parent                              stage (child, new namespaces)
//	  | clone ------------------------------> starts, waits
//	  | id maps, root, /dev                     |
//	  | Setup + fds (root, dev, [sys], join…) ->|
//	  |                                         | steps: cgroups, mounts, ptys,
//	  |                                         | capabilities, seccomp
//	  |<- Ready + fds (console, tty1…, notify, [listener])
//	  | stores the fds                          | waits
//	  | Go ------------------------------------>|
//	  |<- end of file (close-on-exec) ----------| exec of the guest's init
//
// A step that fails sends Failed instead and exits. If the parent dies, the
// stage reads an end of file and exits: no guest runs that nobody knows.
package proto
