package limits

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCPUSetReadsItsOwnText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := CPUSet(rapid.SliceOfDistinct(rapid.IntRange(0, maxCPU), rapid.ID[int]).Draw(t, "cpus"))
		slices.Sort(set)
		got, err := ParseCPUSet(set.String() + "\n")
		if err != nil || !slices.Equal(got, set) {
			t.Fatalf("%q: %v, %v", set.String(), got, err)
		}
	})
}

func TestCPUSetIsShortest(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "0": "0", "0,1": "0-1", "2,0-1,1": "0-2", "0,2,4-5,7": "0,2,4-5,7", "0-8191": "0-8191",
	} {
		set, err := ParseCPUSet(text)
		if err != nil || set.String() != want {
			t.Errorf("%q: got %q, %v, want %q", text, set, err, want)
		}
	}
}

func TestCheckCPUsNamesTheOnlineOnes(t *testing.T) {
	err := Limits{CPUSet: "0,3-5"}.CheckCPUs(CPUSet{0, 1, 4})
	if want := "limits.cpuset: CPU 3,5 is not online (online: 0-1,4)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := (Limits{CPUSet: "0-1"}).CheckCPUs(CPUSet{0, 1}); err != nil {
		t.Error(err)
	}
}

func FuzzParseCPUSet(f *testing.F) {
	f.Add("0-1,3")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseCPUSet(text)
		if err == nil && !slices.IsSorted(set) {
			t.Errorf("%q: %v", text, set)
		}
	})
}
