// Package fuse serves a few read-only files over a descriptor of /dev/fuse. What is
// asked is answered out of a [Table]; what the files mean, who mounts the file system
// and where, is none of its business.
//
// It is made for an event loop: one goroutine, one request at a time, nothing in
// flight. A request is read into memory that outlives the process, so whoever comes
// after it answers what it had taken:
//
//	kernel ──read──▶ slot (shared memory) ──▶ answer ──▶ write ──▶ slot is empty
//	                  └── killed here: the next one answers it, and asks for the rest again
//
// How it is fast: the kernel learns once that opening and closing needs nobody
// (ENOSYS), and keeps contents in its page cache. It asks for a file's attributes when
// they are older than the file's TTL; a content that differs has another time of change,
// by which the kernel drops the pages (FUSE_AUTO_INVAL_DATA). A file's size
// hardly changes: it rules the page cache.
//
// Who asks may be hostile. Nothing that is asked takes memory, and no request's
// form is relied on. Source: Linux, include/uapi/linux/fuse.h, fs/fuse.
package fuse
