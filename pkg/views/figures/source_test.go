package figures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views"
)

// tree writes files of a group that is one below the top of its hierarchy, and
// opens the directory. What a real one is like is tested in ThisHost.
func tree(t testing.TB, files map[string]string) int {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func render(s *Source, f func([]byte, *views.Snapshot) []byte) string {
	return string(f(nil, s.Snapshot(^views.Need(0), Now())))
}

func TestMeminfoOfV1(t *testing.T) {
	memory := tree(t, map[string]string{
		"memory.usage_in_bytes": "67108864\n", "memory.swappiness": "60\n",
		"memory.stat": "cache 1\nmapped_file 1\nhierarchical_memory_limit 268435456\nhierarchical_memsw_limit 9223372036854771712\n" +
			"total_cache 33554432\ntotal_rss 16777216\ntotal_mapped_file 4096\ntotal_active_file 1048576\ntotal_inactive_file 2097152\n",
	})
	s, err := Open(Config{Groups: limits.Dirs{V2: tree(t, nil), V1: map[string]int{"memory": memory}}, Offset: -Now() + 5*time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text := render(s, views.Meminfo)
	for _, want := range []string{
		"MemTotal:             262144 kB\n", "MemFree:              196608 kB\n", "MemAvailable:         199680 kB\n",
		"Cached:                32768 kB\n", "AnonPages:             16384 kB\n", "Mapped:                    4 kB\n",
		"KReclaimable:              0 kB\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q isn't in\n%s", want, text)
		}
	}
	shot := s.Snapshot(views.NeedTimes, -s.config.Offset+5*time.Second)
	if up := string(views.Uptime(nil, shot)); !strings.HasPrefix(up, "5.00 ") || len(up) != 32 {
		t.Errorf("uptime %q", up)
	}
}
