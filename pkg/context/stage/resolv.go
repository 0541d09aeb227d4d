package stage

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
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
	root := safefs.FromFD(s.root)
	const path = "/etc/resolv.conf"
	if ownResolv(root, path, s.setup.Resolv) {
		_ = root.WriteVolatile(path, []byte(s.setup.Resolv), 0o644)
	}
	if _, err := root.Lstat(resolver); err == nil {
		const dir = "/run/systemd/resolved.conf.d"
		if root.MkdirAll(dir, 0o755) == nil {
			_ = root.WriteVolatile(dir+"/sysct.conf", []byte(resolvedConf(s.setup.Resolv)), 0o644)
		}
	}
	return nil
}

// ownResolv says whether a resolv.conf is to be written: it is missing, empty, or was written
// here and says something else. A link is somebody's: of resolved, of resolvconf, of the
// administrator.
func ownResolv(root *safefs.Root, path, now string) bool {
	st, err := root.Lstat(path)
	if errors.Is(err, unix.ENOENT) {
		return true
	}
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	text, err := root.ReadFile(path, maxResolv)
	return err == nil && string(text) != now && (len(text) == 0 || strings.HasPrefix(string(text), proto.ResolvMark))
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
