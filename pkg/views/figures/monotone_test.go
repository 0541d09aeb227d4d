package figures

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views"
)

// counted are the counters of a device, as its line of /proc/diskstats has them.
type counted struct{ reads, readSectors, writes, writeSectors, discards, discardSectors uint64 }

// TestDiskCountersNeverGoBack: with counters of a group that rise, whatever they are, those
// of each line of /proc/diskstats do too, in both versions; also when a Source follows
// another, and when devices come.
func TestDiskCountersNeverGoBack(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			files := map[string]string{"blkio.throttle.io_service_bytes_recursive": "", "blkio.throttle.io_serviced_recursive": ""}
			dirs := func(fd int) limits.Dirs {
				return limits.Dirs{V2: tree(t, nil), V1: map[string]int{"blkio": fd}}
			}
			if version == "v2" {
				files = map[string]string{"io.stat": ""}
				dirs = func(fd int) limits.Dirs { return limits.Dirs{V2: fd} }
			}
			fd := tree(t, files)
			dir, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			if err != nil {
				t.Fatal(err)
			}
			groups := dirs(fd)
			rapid.Check(t, func(t *rapid.T) { risingDisks(t, dir, version, groups) })
		})
	}
}

func risingDisks(t *rapid.T, dir, version string, groups limits.Dirs) {
	var kernel []counted
	var last map[string]counted
	s, err := Open(Config{Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	for range 6 {
		if len(kernel) < 3 && rapid.Bool().Draw(t, "a device comes") {
			kernel = append(kernel, counted{})
		}
		for i := range kernel {
			kernel[i].rise(t)
		}
		write(t, dir, version, kernel)
		if rapid.Bool().Draw(t, "another Source") {
			state := s.State()
			s.Close()
			if s, err = Open(Config{Groups: groups, State: &state}); err != nil {
				t.Fatal(err)
			}
		}
		now := lines(t, string(views.Diskstats(nil, s.Snapshot(views.NeedDisks, time.Hour))))
		if len(now) != len(kernel) {
			t.Fatalf("%d devices of %d: %+v", len(now), len(kernel), now)
		}
		for device, a := range last {
			if b, ok := now[device]; !ok || b.reads < a.reads || b.readSectors < a.readSectors || b.writes < a.writes ||
				b.writeSectors < a.writeSectors || b.discards < a.discards || b.discardSectors < a.discardSectors {
				t.Fatalf("%s had %+v and has %+v", device, a, b)
			}
		}
		last = now
	}
}

// rise adds to each counter, from nothing to more than fits.
func (c *counted) rise(t *rapid.T) {
	for _, n := range []*uint64{&c.reads, &c.readSectors, &c.writes, &c.writeSectors, &c.discards, &c.discardSectors} {
		*n += min(rapid.Uint64().Draw(t, "more"), ^uint64(0)-*n)
	}
}

// write has the kernel's files say so; the sectors are its bytes.
func write(t *rapid.T, dir, version string, kernel []counted) {
	var all, bytes, operations strings.Builder
	blkio := func(b *strings.Builder, device int, read, write, discard uint64) {
		fmt.Fprintf(b, "4000:%d Read %d\n4000:%d Write %d\n4000:%d Discard %d\n", device, read, device, write, device, discard)
	}
	for i, c := range kernel {
		fmt.Fprintf(&all, "4000:%d rbytes=%d wbytes=%d rios=%d wios=%d dbytes=%d dios=%d\n", i,
			c.readSectors, c.writeSectors, c.reads, c.writes, c.discardSectors, c.discards)
		blkio(&bytes, i, c.readSectors, c.writeSectors, c.discardSectors)
		blkio(&operations, i, c.reads, c.writes, c.discards)
	}
	files := map[string]string{"io.stat": all.String()}
	if version == "v1" {
		files = map[string]string{"blkio.throttle.io_service_bytes_recursive": bytes.String(), "blkio.throttle.io_serviced_recursive": operations.String()}
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// lines reads /proc/diskstats, by its device's numbers.
func lines(t *rapid.T, text string) map[string]counted {
	all := map[string]counted{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 20 {
			t.Fatalf("%d fields: %q", len(f), line)
		}
		at := func(i int) uint64 {
			n, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		all[f[0]+":"+f[1]] = counted{at(3), at(5), at(7), at(9), at(14), at(16)}
	}
	return all
}

// TestProcessesNeverGoBack when the newest one ends, nor when a Source follows another.
func TestProcessesNeverGoBack(t *testing.T) {
	g := group(t, limits.Limits{})
	in(t, g, "exec unshare -p -f sh -c 'sleep 600 & sleep 600 & echo ready; wait'")
	c := Config{Groups: g.Dirs(), Offset: -Now()}
	s := open(t, c)
	eventually := func(what string, is func(views.Tasks) bool) {
		t.Helper()
		var got views.Tasks
		for deadline, later := Now()+time.Minute, time.Duration(0); Now() < deadline; time.Sleep(10 * time.Millisecond) {
			later += time.Minute // none is as it was counted before
			if got = s.Snapshot(views.NeedTasks, Now()+later).Tasks; is(got) {
				return
			}
		}
		t.Fatalf("never came about: %s: %+v", what, got)
	}
	eventually("there are four, three of them inside", func(k views.Tasks) bool { return k.Total == 4 && k.LastPID == 3 })
	pids, err := g.Pids()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(slices.Max(pids), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually("the newest has ended", func(k views.Tasks) bool { return k.Total == 3 })
	state := s.State()
	c.State = &state
	for what, s := range map[string]*Source{"this": s, "the next": open(t, c)} {
		if got := s.Snapshot(views.NeedTasks, Now()+1000*time.Hour).Tasks.LastPID; got != 3 {
			t.Errorf("for %s Source there were %d processes, not 3", what, got)
		}
	}
}
