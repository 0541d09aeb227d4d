package console

// The mark of a ring says how much of what it has had is in the log, and how long the
// log's file was then: two halves of one word, so that a SIGKILL finds both or neither.
// Both are counted modulo 2^32, of which differences are enough.
//
//	read ──▶ ring: written ──▶ log: write(2) ──▶ mark: logged, size
//
// A process that takes over writes what lies between logged and written, without what
// the file has grown by since.

// note says that n more bytes of the ring are in the log or given up, whose file has
// size bytes.
func (r *Ring) note(n int, size int64) {
	r.setMark(uint32(r.mark.Load())+uint32(n), size)
}

func (r *Ring) setMark(logged uint32, size int64) {
	r.mark.Store(uint64(uint32(size))<<32 | uint64(logged))
}

// unlogged is what the log lacks, whose file has size bytes now. From then on the mark
// counts from there.
func (r *Ring) unlogged(size int64) []byte {
	mark, written := r.mark.Load(), r.written.Load()
	if r.clean.Load() == 0 {
		mark = uint64(uint32(size))<<32 | uint64(uint32(written)) // nobody has kept it yet
	}
	lacks := uint64(uint32(written) - uint32(mark))
	lacks = min(lacks, written-r.Start())
	// A file that is shorter now is another one.
	if grown := int32(uint32(size) - uint32(mark>>32)); grown > 0 {
		lacks -= min(lacks, uint64(grown))
	}
	r.setMark(uint32(written-lacks), size)
	head, rest := r.view(written - lacks)
	return append(append(make([]byte, 0, lacks), head...), rest...)
}
