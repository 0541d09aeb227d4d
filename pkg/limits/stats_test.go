package limits

import (
	"io/fs"
	"reflect"
	"testing"
)

// files reads from kernel text as these files had it.
func files(text map[string]string) ReadFunc {
	return func(name string) (string, error) {
		if s, ok := text[name]; ok {
			return s, nil
		}
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

func TestMemoryV2(t *testing.T) {
	read := files(map[string]string{
		"memory.current": "7090176\n", "memory.max": "33554432\n", "memory.peak": "33562624\n",
		"memory.events": "low 0\nhigh 0\nmax 118\noom 2\noom_kill 2\noom_group_kill 0\n",
	})
	got, err := MemoryV2(read)
	want := &Memory{Current: 7090176, Max: ptr(33554432), Peak: ptr(33562624), OOMKills: 2}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMemoryV2WithoutLimitOrPeak(t *testing.T) {
	read := files(map[string]string{"memory.current": "0\n", "memory.max": "max\n", "memory.events": "oom_kill 0\n"})
	if got, err := MemoryV2(read); err != nil || !reflect.DeepEqual(got, &Memory{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := MemoryV2(files(nil)); got != nil || err != nil {
		t.Errorf("no controller: got %+v, %v", got, err)
	}
}

func TestMemoryV1(t *testing.T) {
	text := map[string]string{
		"memory.usage_in_bytes": "4096\n", "memory.limit_in_bytes": "9223372036854771712\n",
		"memory.max_usage_in_bytes": "8192\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
	}
	got, err := MemoryV1(files(text))
	if err != nil || !reflect.DeepEqual(got, &Memory{Current: 4096, Peak: ptr(8192), OOMKills: 3}) {
		t.Errorf("got %+v, %v", got, err)
	}
	text["memory.limit_in_bytes"] = "65536\n"
	if got, err = MemoryV1(files(text)); err != nil || *got.Max != 65536 {
		t.Errorf("got %+v, %v", got, err)
	}
	delete(text, "memory.usage_in_bytes")
	if _, err = MemoryV1(files(text)); err == nil {
		t.Error("a missing figure is no error")
	}
}

func TestCPUAndPids(t *testing.T) {
	read := files(map[string]string{
		"cpu.stat":     "usage_usec 1523\nuser_usec 1000\nsystem_usec 523\nnice_usec 0\n",
		"pids.current": "12\n", "pids.peak": "20\n", "pids.max": "20\n",
	})
	if n, err := CPUUsage(read); n != 1523 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	var s Stats
	if err := s.ReadPids(read); err != nil || *s.Pids != 12 || *s.PidsPeak != 20 || *s.PidsMax != 20 {
		t.Errorf("got %+v, %v", s, err)
	}
	s = Stats{}
	if err := s.ReadPids(files(map[string]string{"pids.current": "1\n", "pids.max": "max\n"})); err != nil || *s.Pids != 1 || s.PidsPeak != nil || s.PidsMax != nil {
		t.Errorf("without a limit: got %+v, %v", s, err)
	}
	s = Stats{}
	if err := s.ReadPids(files(nil)); s.Pids != nil || err != nil {
		t.Errorf("got %+v, %v", s, err)
	}
	if err := s.ReadPids(files(map[string]string{"pids.current": "x\n"})); err == nil {
		t.Error("text is no error")
	}
}

func TestEvents(t *testing.T) {
	for text, want := range map[string][2]bool{
		"populated 1\nfrozen 0\n": {true, false}, "populated 0\nfrozen 1\n": {false, true}, "populated 1\n": {true, false},
	} {
		p, f, err := Events(text)
		if err != nil || [2]bool{p, f} != want {
			t.Errorf("%q: got %v, %v, %v", text, p, f, err)
		}
	}
	if _, _, err := Events("frozen 0\n"); err == nil {
		t.Error("text without populated is no error")
	}
}
