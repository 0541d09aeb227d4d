package stage

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/proto"
)

// resolver is what reads /run/systemd/resolved.conf.d.
const resolver = "/usr/lib/systemd/systemd-resolved"

// maxResolv bounds what is read to find out whose a resolv.conf is, in bytes.
const maxResolv = 64 << 10

// resolv tells the guest where names are found. It comes after the root was changed, so that
// every link in the guest's tree leads into it. /etc/resolv.conf is written where there is
// none, or one that was written here; where systemd-resolved keeps it, that one is told.
// That it can't be written keeps no guest from starting: it is then as the guest has it.
func (s *stage) resolv() error {
	if s.setup.Resolv == "" {
		return nil
	}
	const path = "/etc/resolv.conf"
	if old, ours := ownResolv(path); ours && old != s.setup.Resolv {
		temp := path + ".sysct"
		os.Remove(temp)
		if err := os.WriteFile(temp, []byte(s.setup.Resolv), 0o644); err == nil {
			err = os.Chmod(temp, 0o644)
			if err != nil || os.Rename(temp, path) != nil {
				os.Remove(temp)
			}
		}
	}
	if _, err := os.Stat(resolver); err == nil {
		const dir = "/run/systemd/resolved.conf.d"
		if os.MkdirAll(dir, 0o755) == nil {
			_ = os.WriteFile(dir+"/sysct.conf", []byte(resolvedConf(s.setup.Resolv)), 0o644)
		}
	}
	return nil
}

// ownResolv reads a resolv.conf that is missing, empty, or was written here. A link is
// somebody's: of resolved, of resolvconf, of the administrator.
func ownResolv(path string) (text string, ours bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return "", true
	}
	if err != nil {
		return "", false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxResolv {
		return "", false
	}
	data := make([]byte, st.Size())
	if n, err := f.Read(data); st.Size() > 0 && (err != nil || n < len(data)) {
		return "", false
	}
	return string(data), len(data) == 0 || strings.HasPrefix(string(data), proto.ResolvMark)
}

// resolvedConf is the same for systemd-resolved. Source: resolved.conf(5).
func resolvedConf(resolv string) string {
	var servers, domains []string
	for line := range strings.Lines(resolv) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "nameserver":
			servers = append(servers, words[1])
		case len(words) > 1 && words[0] == "search":
			domains = words[1:]
		}
	}
	text := proto.ResolvMark + "[Resolve]\nDNS=" + strings.Join(servers, " ") + "\n"
	if len(domains) > 0 {
		text += "Domains=" + strings.Join(domains, " ") + "\n"
	}
	return text
}
