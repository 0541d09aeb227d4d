package figures

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views"
)

// The bounds of one count: how deep, how many groups, and how many tasks are looked
// at. The guest makes as many groups as it likes. Of more tasks every n-th is
// looked at, and stands for n.
const (
	walkDepth  = 8
	walkGroups = 256
	walkTasks  = 1024
)

// walk goes through a v2 group and those below it.
type walk struct {
	source *Source
	groups int
	tids   []uint32
	newest uint64
}

func (w *walk) group(dir, depth int) {
	w.groups++
	if f, err := openFile(dir, "cgroup.threads"); err == nil {
		w.read(f)
		f.close()
	}
	if depth == walkDepth {
		return
	}
	for _, name := range subgroups(dir) {
		if w.groups == walkGroups {
			return
		}
		sub, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			w.group(sub, depth+1)
			unix.Close(sub)
		}
	}
}

func (w *walk) read(f file) {
	text := w.source.reader.read(f)
	for len(text) > 0 {
		var l []byte
		l, text = line(text)
		if tid := number(l); tid > 0 && tid < 1<<31 {
			w.tids = append(w.tids, uint32(tid))
			w.newest = max(w.newest, tid)
		}
	}
}

// subgroups names the directories in an open one.
func subgroups(dir int) (names []string) {
	if _, err := unix.Seek(dir, 0, 0); err != nil {
		return nil
	}
	buf := make([]byte, 4096)
	for {
		n, err := unix.Getdents(dir, buf)
		if err != nil || n <= 0 {
			return names
		}
		names = append(names, directories(buf[:n])...)
	}
}

// directories names those among the entries that getdents64(2) gave.
func directories(b []byte) (names []string) {
	const kind, name = 18, 19 // struct linux_dirent64
	for len(b) >= name {
		length := int(binary.NativeEndian.Uint16(b[16:]))
		if length < name || length > len(b) {
			return names
		}
		text, _, _ := bytes.Cut(b[name:length], []byte{0})
		if b[kind] == unix.DT_DIR && string(text) != "." && string(text) != ".." {
			names = append(names, string(text))
		}
		b = b[length:]
	}
	return names
}

// states looks at the tasks.
func (w *walk) states() views.Tasks {
	step := 1 + (len(w.tids)-1)/walkTasks
	t := views.Tasks{Total: uint64(len(w.tids))}
	for i := 0; i < len(w.tids); i += step {
		switch w.source.taskState(w.tids[i]) {
		case 'R':
			t.Running += uint64(step)
		case 'D':
			t.Blocked += uint64(step)
		}
	}
	return t
}

// taskState is the letter of /proc/PID/task/TID/stat. A thread's number is a name of
// its process in /proc too, and the file of the thread alone is the cheaper one.
func (s *Source) taskState(tid uint32) byte {
	b := strconv.AppendUint(make([]byte, 0, 40), uint64(tid), 10)
	b = append(append(append(b, "/task/"...), b...), "/stat"...)
	return parseState(s.readTask(string(b)))
}

// parseState finds the state after the program's name, in which anything may be.
func parseState(text []byte) byte {
	if i := bytes.LastIndexByte(text, ')'); i >= 0 && i+2 < len(text) {
		return text[i+2]
	}
	return 0
}

// numberInGuest is a task's number in the innermost pid namespace that it is in.
func (s *Source) numberInGuest(tid uint64) uint64 {
	return parseNSpid(s.readTask(strconv.FormatUint(tid, 10) + "/status"))
}

// parseNSpid reads the second number of the line NSpid: that of the guest's
// namespace, whatever namespaces the guest has made.
func parseNSpid(text []byte) uint64 {
	_, rest, ok := bytes.Cut(text, []byte("\nNSpid:"))
	if !ok {
		return 0
	}
	rest, _ = line(rest)
	_, rest = field(rest)
	second, _ := field(rest)
	return number(second)
}

func (s *Source) readTask(path string) []byte {
	f, err := openFile(s.tasks.proc, path)
	if err != nil {
		return nil
	}
	defer f.close()
	return s.reader.read(f)
}
