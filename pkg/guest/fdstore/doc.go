// Package fdstore lets a process leave open file descriptors with its service
// manager, under names, so that its successor finds them again. It speaks the
// sd_notify protocol, as documented in sd_notify(3) and sd_listen_fds(3): one
// client serves systemd's store and the holder's.
//
//	process                               manager (systemd or holder)
//	  | FDSTORE=1 FDNAME=init FDPOLL=0 --> | keeps a copy
//	  | BARRIER=1 + pipe ----------------> | closes the pipe: all of the above is kept
//	  | READY=1, STATUS=… ---------------> |
//	  X dies
//	successor <-- fds from 3 on, LISTEN_FDS, LISTEN_FDNAMES -- |
//
// The package also reads messages of that protocol ([Parse]), for the holder
// and for what a guest's init sends. It keeps nothing itself.
package fdstore
