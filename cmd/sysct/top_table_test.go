package main

import (
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestTopFits: on a terminal of 80 columns the state and the pressure are whole, whatever else
// is left out; a wide one has all, and a long name is cut first.
func TestTopFits(t *testing.T) {
	busy, memory, pids, cpu := 100.0, int64(1023<<20), int64(16384), 5999.0
	usage := &guest.Usage{Memory: &memory, MemoryMax: &memory, Swap: &memory, Pids: &pids, CPU: &cpu}
	rate := float64(memory)
	row := func(name string) topRow {
		return topRow{Name: name, State: state.Frozen, CPUPercent: &busy, Throttled: &busy, ReadRate: &rate, WriteRate: &rate, RxRate: &rate, TxRate: &rate, Usage: usage}
	}
	r := &reading{rows: []topRow{row("web"), row(strings.Repeat("long", 6))}}
	header := func(cols int) string {
		return strings.Join(strings.Fields(topLines(r, topOrder{by: "cpu"}, cols)[topHeader]), " ")
	}
	for _, c := range []struct {
		cols int
		want string
	}{
		{0, "NAME CPU%* THR% TIME MEMORY %MEM SWAP READ/s WRITE/s RX/s TX/s PIDS PRESSURE STATE"},
		{200, "NAME CPU%* THR% TIME MEMORY %MEM SWAP READ/s WRITE/s RX/s TX/s PIDS PRESSURE STATE"},
		{95, "NAME CPU%* MEMORY READ/s WRITE/s RX/s TX/s PIDS PRESSURE STATE"},
		{80, "NAME CPU%* MEMORY READ/s WRITE/s PIDS PRESSURE STATE"},
		{40, "NAME CPU%* MEMORY READ/s WRITE/s PIDS PRESSURE STATE"},
	} {
		if got := header(c.cols); got != c.want {
			t.Errorf("%d columns: %s, not %s", c.cols, got, c.want)
		}
	}
	lines := topLines(r, topOrder{by: "cpu"}, 80)
	for _, line := range lines[topHeader:] {
		if len(line) > 80 || line != lines[topHeader] && !strings.HasSuffix(line, " FROZEN") {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
	if !strings.HasPrefix(lines[topHeader+2], "longlonglonglong") {
		t.Errorf("the name is cut more than it has to be: %s", lines[topHeader+2])
	}
}
