package fuse

import (
	"bytes"
	"encoding/binary"
)

// What is used of include/uapi/linux/fuse.h.
const (
	opLookup      = 1
	opForget      = 2
	opGetattr     = 3
	opReadlink    = 5
	opOpen        = 14
	opRead        = 15
	opStatfs      = 17
	opRelease     = 18
	opFlush       = 25
	opInit        = 26
	opOpendir     = 27
	opReaddir     = 28
	opReleasedir  = 29
	opInterrupt   = 36
	opDestroy     = 38
	opIoctl       = 39
	opNotifyReply = 41
	opBatchForget = 42
	opReaddirplus = 44

	notifyInvalInode = 2
	notifyResend     = 7
)

// changing says whether an operation would change the file system: by its number, and
// one that isn't known here wouldn't.
func changing(op uint32) bool {
	const (
		setattr, symlink, mknod, mkdir, unlink, rmdir, rename, link = 4, 6, 8, 9, 10, 11, 12, 13
		write, setxattr, removexattr, create, rename2, tmpfile      = 16, 21, 24, 35, 45, 51
	)
	switch op {
	case setattr, symlink, mknod, mkdir, unlink, rmdir, rename, link, write, setxattr, removexattr, create, rename2, tmpfile:
		return true
	}
	return false
}

// Sizes of structures, in bytes.
const (
	inHeader  = 40 // fuse_in_header
	outHeader = 16 // fuse_out_header
	attrSize  = 88 // fuse_attr
	entrySize = 40 + attrSize
	initIn    = 16 // the part of fuse_init_in that every kernel sends
	initExtIn = 20 // with flags2
	initOut   = 64
	readIn    = 40 // fuse_read_in
	statfsOut = 80
	openOut   = 16
	direntLen = 24 // fuse_dirent without its name

	maxWrite = 4096 // the least that the kernel takes
)

// SlotSize is how much memory a request needs: the kernel refuses to put one into less
// (FUSE_MIN_READ_BUFFER).
const SlotSize = 8192

// Flags of FUSE_INIT that are asked for where the kernel has them.
const (
	initAsyncRead     = 1 << 0
	initAutoInvalData = 1 << 12
	initReaddirplus   = 1 << 13 // and for listings that nobody asks the attributes of, too
	initParallelDirs  = 1 << 18
	initExt           = 1 << 30
	init2HasResend    = 1 << 7 // FUSE_HAS_RESEND, bit 39
)

var native = binary.NativeEndian

// request is one, as the kernel wrote it.
type request struct {
	op     uint32
	unique uint64
	node   uint64
	body   []byte
}

// parse reads a request; false: it is none, and its sender waits for no answer that
// could be given.
func parse(b []byte) (r request, ok bool) {
	if len(b) < inHeader {
		return r, false
	}
	size := native.Uint32(b)
	if size < inHeader || uint64(size) > uint64(len(b)) {
		return r, false
	}
	return request{op: native.Uint32(b[4:]), unique: native.Uint64(b[8:]), node: native.Uint64(b[16:]), body: b[inHeader:size]}, true
}

// silent says that nobody waits for an answer.
func (r *request) silent() bool {
	switch r.op {
	case opForget, opBatchForget, opInterrupt, opNotifyReply:
		return true
	}
	return false
}

// name is what a LOOKUP looks for.
func (r *request) name() ([]byte, bool) {
	end := bytes.IndexByte(r.body, 0)
	if end <= 0 {
		return nil, false
	}
	return r.body[:end], true
}

// span is what a READ or READDIR wants: from where, how much, and the open file's flags.
func (r *request) span() (offset uint64, size, flags uint32, ok bool) {
	if len(r.body) < readIn {
		return 0, 0, 0, false
	}
	return native.Uint64(r.body[8:]), native.Uint32(r.body[16:]), native.Uint32(r.body[32:]), true
}
