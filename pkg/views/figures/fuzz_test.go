package figures

import (
	"slices"
	"testing"

	"github.com/sysct/sysct/pkg/views"
)

// FuzzGroupFiles has every parser of a group's files read any text.
func FuzzGroupFiles(f *testing.F) {
	for _, seed := range []string{
		"anon 4096\nfile 8192\nfile_mapped 1\nzswap 99999999999999999999999\n", "total_cache 1\nhierarchical_memsw_limit 9223372036854771712\n",
		"usage_usec 1\nuser_usec 18446744073709551615\nthrottled_time 5\n", "cpu user system\n0 12 13\n1 14 15\n8191 1 1\n99999 1 1\n",
		"254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n", "8:0 Read 1\n8:0 Write 2\nTotal 3\n", "0-1,3\n", "3-1,,5", "50000 100000", "max 100000",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		u := views.MemoryUse{Host: 1 << 30}
		parseMemoryV2(text, &u)
		parseMemoryV1(text, &u)
		if m := views.NewMemory(u); m.Free > m.Available || m.Available > m.Total || m.Total == 0 {
			t.Errorf("%+v", m)
		}
		var use views.CPUUse
		parseCPUStat(text, &use)
		parseThrottled(text, &use)
		parseUsageAll(text, &use)
		if use.User < 0 || use.System < 0 || use.Throttled < 0 {
			t.Errorf("%+v", use)
		}
		parseBlkio(parseIOStat(nil, text), text, true)
		if set := parseCPUs(nil, text); !slices.IsSorted(set) || len(set) > maxCPUs {
			t.Errorf("%v", set)
		}
	})
}

// FuzzHostFiles does so with those of the host.
func FuzzHostFiles(f *testing.F) {
	f.Add([]byte("12 (a) b) R 1 2 3"), []byte("Name:\tx\nNSpid:\t12\t3\t1\n"), []byte("processor\t: 0\nmodel\t: 1\n\nprocessor\t: 1\n"))
	f.Fuzz(func(_ *testing.T, stat, status, cpuinfo []byte) {
		parseState(stat)
		parseNSpid(status)
		parseCPUInfo(cpuinfo, []int{0, 1})
		directories(stat)
		attribute(stat, 1)
	})
}

func TestParsers(t *testing.T) {
	if got := parseState([]byte("12 (a) b) D 1")); got != 'D' {
		t.Errorf("state %q", got)
	}
	if got := parseNSpid([]byte("Name:\tx\nNSpid:\t1200\t34\t5\nNSpgid:\t1\n")); got != 34 {
		t.Errorf("number in the guest %d", got)
	}
	var u views.MemoryUse
	parseMemoryV2([]byte("anon 1\nfile 2\nkernel 3\nfile_mapped 4\nfile_dirty 5\nfile_writeback 6\nfile_thp 7\n"), &u)
	if s := u.Stat; u.File != 2 || s.Anon != 1 || s.Mapped != 4 || s.Dirty != 5 || s.Writeback != 6 || s.FileHuge != 7 {
		t.Errorf("%+v", u)
	}
}
