package views

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Each virtual file has a fuzz test: whatever the figures are, its text is what programs
// that read the kernel's can read. `go test` runs them with the seeds alone.

func FuzzMeminfo(f *testing.F) {
	fuzzFile(f, "proc/meminfo", `(\w+(\(\w+\))?: +\d+( kB)?\n)+`)
}

func FuzzStat(f *testing.F) {
	fuzzFile(f, "proc/stat", `cpu ( \d+){10} *\n(cpu\d+( \d+){10} *\n){2}intr( 0)+ *\nctxt 0\nbtime \d+\nprocesses \d+\nprocs_running [1-9]\d*\nprocs_blocked \d+\nsoftirq( 0){11}\n`)
}

func FuzzUptime(f *testing.F)  { fuzzFile(f, "proc/uptime", `\d+\.\d\d \d+\.\d\d *\n`) }
func FuzzLoadavg(f *testing.F) { fuzzFile(f, "proc/loadavg", `(\d+\.\d\d ){3}\d+/\d+ \d+ *\n`) }

func FuzzSwaps(f *testing.F) {
	fuzzFile(f, "proc/swaps", `Filename\t+Type\t+Size\t+Used\t+Priority *\n(none +virtual\t+\d+\t+\d+\t+-2 *\n)?`)
}

func FuzzDiskstats(f *testing.F) {
	fuzzFile(f, "proc/diskstats", `( *\d+ +\d+ [^ ]+( \d+){17} *\n)+`)
}

func FuzzCPUFiles(f *testing.F) {
	for _, file := range Files() {
		if name, ok := strings.CutPrefix(file.Path, CPUDir+"/"); ok {
			checkFile(f, file.Path, file.Render(nil, example()), map[string]string{
				"isolated": `\n`, "offline": `\n`, "kernel_max": `\d+\n`, "online": `0-1\n`, "possible": `0-1\n`, "present": `0-1\n`,
			}[name])
		}
	}
	f.Add(uint16(1), uint16(0))
	f.Add(uint16(8192), uint16(8191))
	f.Fuzz(func(t *testing.T, n, i uint16) {
		count := 1 + int(n)%8192
		s := &Snapshot{CPUs: make([]int, count)}
		for j := range s.CPUs {
			s.CPUs[j] = 3 * j
		}
		want := "0\n"
		if count > 1 {
			want = fmt.Sprintf("0-%d\n", count-1)
		}
		if got := string(cpuList(nil, s)); got != want {
			t.Errorf("%d CPUs are %q", count, got)
		}
		for _, file := range CPUFiles() {
			checkFile(t, file.Path, file.Render(nil, int(i)%count, count), `[0-9a-f]+([-,][0-9a-f]+)*\n`)
		}
	})
}

// fuzzFile renders a file of any figures, and looks at its form: that it is as long as that
// of other figures is said by TestLengthIsConstant.
func fuzzFile(f *testing.F, path, form string) {
	for _, file := range Files() {
		if file.Path == path {
			addSeeds(f)
			f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { checkFile(t, path, file.Render(nil, anySnapshot(t)), form) }))
			return
		}
	}
	f.Fatalf("there is no %s", path)
}

// addSeeds gives texts that are long enough to make a snapshot of.
func addSeeds(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var seed []byte
		for range 2048 {
			seed = binary.LittleEndian.AppendUint64(seed, rnd.Uint64()>>rnd.IntN(64))
		}
		f.Add(seed)
	}
}

func checkFile(t interface{ Errorf(string, ...any) }, path string, text []byte, form string) {
	if form == "" || !regexp.MustCompile(`\A(?:`+form+`)\z`).Match(text) {
		t.Errorf("%s isn't %q:\n%s", path, form, text)
	}
}

// TestEachFileIsFuzzed: a new file needs a test of its form above.
func TestEachFileIsFuzzed(t *testing.T) {
	fuzzed := "proc/cpuinfo proc/diskstats proc/loadavg proc/meminfo proc/stat proc/swaps proc/uptime"
	var all []string
	for _, f := range Files() {
		if !strings.HasPrefix(f.Path, CPUDir+"/") {
			all = append(all, f.Path)
		}
	}
	if got := strings.Join(all, " "); got != fuzzed {
		t.Errorf("the files are %s", got)
	}
}

// TestProcessesNeverGoBack: of more processes the line isn't smaller.
func TestProcessesNeverGoBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, last := anySnapshot(t), uint64(0)
		n := rapid.Uint64().Draw(t, "first")
		for range 5 {
			s.Tasks.LastPID = n
			var now uint64
			_, rest, _ := strings.Cut(string(Stat(nil, s)), "\nprocesses ")
			if _, err := fmt.Sscan(rest, &now); err != nil || now < last || now == 0 && n > 0 {
				t.Fatalf("%d, then %d of %d, %v", last, now, n, err)
			}
			last = now
			n += min(rapid.Uint64().Draw(t, "more"), ^uint64(0)-n)
		}
	})
}
