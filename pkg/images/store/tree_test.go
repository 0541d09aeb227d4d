package store

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sampleTree fills an empty directory with one of everything that a root file
// system can have.
func sampleTree(t *testing.T, root string) {
	t.Helper()
	for _, d := range []string{"etc", "bin", "dev", "var/lib/deep/er", "srv/acl", "tmp", "empty"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	write(t, root+"/etc/hostname", "sample\n")
	write(t, root+"/etc/empty", "")
	write(t, root+"/var/lib/deep/er/large", strings.Repeat("0123456789abcdef", 64<<10))
	write(t, root+"/etc/ünïcode \n\xff", "odd\n")
	sampleLinks(t, root)
	sampleSpecial(t, root)
	sampleSparse(t, root+"/var/lib/sparse")
	sampleAttributes(t, root)
	old := time.Unix(1_000_000_000, 123_456_789)
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return unix.Lutimes(path, []unix.Timeval{{Sec: old.Unix() + 1}, {Sec: old.Unix(), Usec: 123_456}})
	}))
	must(t, os.Chtimes(root+"/etc/hostname", old.Add(time.Hour), old))
}

func sampleLinks(t *testing.T, root string) {
	t.Helper()
	must(t, os.Symlink("../etc/hostname", root+"/bin/link"))
	must(t, os.Symlink("/nowhere/"+strings.Repeat("long/", 30), root+"/bin/dangling"))
	must(t, os.Symlink("/etc", root+"/var/etc"))
	must(t, os.Lchown(root+"/bin/link", 33, 34))
	for _, to := range []string{"bin/again", "var/lib/deep/er/again", "srv/again"} {
		must(t, os.Link(root+"/etc/hostname", filepath.Join(root, to)))
	}
	must(t, unix.Linkat(unix.AT_FDCWD, root+"/bin/link", unix.AT_FDCWD, root+"/srv/link-again", 0))
}

func sampleSpecial(t *testing.T, root string) {
	t.Helper()
	must(t, unix.Mkfifo(root+"/tmp/fifo", 0o620))
	must(t, unix.Mknod(root+"/dev/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(root+"/dev/block", unix.S_IFBLK|0o660, int(unix.Mkdev(7, 200))))
	must(t, os.Chmod(root+"/dev/null", 0o666))
	must(t, os.Lchown(root+"/dev/block", 0, 6))
}

// sampleSocket leaves a socket, as a server that was killed does.
func sampleSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
}

// sampleSparse makes a file of 40 MiB with data in two places and a hole at
// its end.
func sampleSparse(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for _, at := range []int64{8 << 20, 24<<20 + 12_345} {
		_, err := f.WriteAt([]byte(strings.Repeat("data", 5000)), at)
		must(t, err)
	}
	must(t, f.Truncate(40<<20))
	must(t, f.Sync())
}

func sampleAttributes(t *testing.T, root string) {
	t.Helper()
	write(t, root+"/bin/suid", "#!/bin/sh\n")
	must(t, os.Chown(root+"/bin/suid", 65_533, 42))
	must(t, unix.Chmod(root+"/bin/suid", 0o6755))
	write(t, root+"/bin/ping", "cap\n")
	capNetRaw := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	must(t, unix.Setxattr(root+"/bin/ping", "security.capability", []byte(capNetRaw), 0))
	must(t, unix.Setxattr(root+"/etc", "user.note", []byte("a note\x00with zero"), 0))
	must(t, unix.Setxattr(root+"/etc/empty", "user.empty", nil, 0))
	must(t, unix.Lsetxattr(root+"/bin/link", "trusted.on-link", []byte("x"), 0))
	must(t, unix.Setxattr(root, "trusted.on-root", []byte("y"), 0))
	run(t, "setfacl", "-m", "u:33:rwx,d:u:34:rx,d:g::r", root+"/srv/acl")
	write(t, root+"/srv/acl/inherits", "")
	run(t, "setfacl", "-m", "u:12345:r", root+"/etc/hostname")
	must(t, unix.Chmod(root+"/tmp", 0o1777))
	must(t, unix.Chmod(root+"/var/lib/deep", 0o2700))
	must(t, os.Chown(root+"/var/lib/deep/er", 7, 8))
}

// dump describes all of a tree but its inode numbers and change times: one
// line a file. Access times only if wanted. skip leaves out paths.
func dump(t *testing.T, root string, atimes bool, skip ...string) string {
	t.Helper()
	clone, err := openSource(root) // reading must not change the access times
	must(t, err)
	defer unix.Close(clone)
	root = fdPath(clone) + "/."
	var lines []string
	links := map[uint64]string{}
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.Trim(strings.TrimPrefix(path, fdPath(clone)), "/.")
		for _, s := range skip {
			if rel == s {
				return nil
			}
		}
		lines = append(lines, describe(t, path, rel, atimes, links))
		return nil
	}))
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func describe(t *testing.T, path, rel string, atimes bool, links map[uint64]string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	line := fmt.Sprintf("%q mode %o own %d:%d mtime %d.%09d", rel, st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
	if atimes {
		line += fmt.Sprintf(" atime %d.%09d", st.Atim.Sec, st.Atim.Nsec)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		text, err := os.ReadFile(path)
		must(t, err)
		line += fmt.Sprintf(" size %d sum %x", st.Size, sha256.Sum256(text))
	case unix.S_IFLNK:
		to, err := os.Readlink(path)
		must(t, err)
		line += fmt.Sprintf(" to %q", to)
	case unix.S_IFCHR, unix.S_IFBLK:
		line += fmt.Sprintf(" device %d", st.Rdev)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		line += fmt.Sprintf(" links %d", st.Nlink)
		if first, ok := links[st.Ino]; ok {
			line += fmt.Sprintf(" same as %q", first)
		} else {
			links[st.Ino] = rel
		}
	}
	return line + attributesOf(t, path)
}

func attributesOf(t *testing.T, path string) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	must(t, err)
	names := strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 })
	sort.Strings(names)
	var text strings.Builder
	for _, name := range names {
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, name, value)
		must(t, err)
		fmt.Fprintf(&text, " %s=%x", name, value[:n])
	}
	return text.String()
}

// sameDump shows the lines in which two dumps differ.
func sameDump(t *testing.T, what, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	inWant := map[string]bool{}
	for line := range strings.SplitSeq(want, "\n") {
		inWant[line] = true
	}
	for line := range strings.SplitSeq(got, "\n") {
		if !inWant[line] {
			t.Errorf("%s: not as wanted: %s", what, line)
		}
		delete(inWant, line)
	}
	for line := range inWant {
		t.Errorf("%s: missing: %s", what, line)
	}
}
