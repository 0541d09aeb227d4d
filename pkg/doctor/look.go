package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// Look gives the real host. What only the manager of guests knows is left for the
// caller to fill in. Close ends what the trials made.
func Look(dirs Dirs) (h *Host, closeTrials func()) {
	t := newTrials(dirs)
	return &Host{
		Read: readFile, Try: t.try, FileSystem: fileSystem, Stat: statDir, Inotify: countInotify,
		Arch: runtime.GOARCH, Nested: store.InUserNamespace(), Dirs: dirs, Groups: detect.Find, OpenFiles: openFilesLimit(),
		Leftovers: func() ([]string, error) { return nil, nil }, Network: lookAtNetwork(dirs.Run),
	}, t.close
}

func readFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}

func statDir(dir string) (uid, mode uint32, ok bool) {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil {
		return 0, 0, false
	}
	return st.Uid, st.Mode, true
}

func openFilesLimit() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Max
}

// existing is the directory or, until it is made, the nearest above it that is
// there: it will be on the same file system.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// fileSystem looks at what a directory is on.
func fileSystem(dir string) (*FileSystem, error) {
	dir = existing(dir)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	var stx unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_MNT_ID, &stx); err != nil {
		return nil, &os.PathError{Op: "statx", Path: dir, Err: err}
	}
	text, err := readFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	block := uint64(st.Bsize)
	return &FileSystem{
		Type:     typeOfMount(text, stx.Mnt_id),
		ReadOnly: st.Flags&unix.ST_RDONLY != 0, NoSuid: st.Flags&unix.ST_NOSUID != 0, NoExec: st.Flags&unix.ST_NOEXEC != 0,
		Size: st.Blocks * block, Free: st.Bavail * block, Inodes: st.Files, FreeInodes: st.Ffree,
	}, nil
}
