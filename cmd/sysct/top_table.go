package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// topHeader is the number of the line that names the columns.
const topHeader = 2

// topOrder is by which column the table is sorted: figures the greatest first, names
// from a to z, or the other way round.
type topOrder struct {
	by      string
	reverse bool
}

func topOrders() []string { return []string{"cpu", "memory", "io", "net", "pids", "name"} }

func parseTopOrder(name string) (topOrder, error) {
	name = strings.ToLower(name)
	if slices.Contains(topOrders(), name) {
		return topOrder{by: name}, nil
	}
	hint := ""
	if near := nearest.Of(name, topOrders()); near != "" {
		hint = "\nhint: did you mean " + near + "?"
	}
	return topOrder{}, invalid("cannot sort by %q: %s%s", name, strings.Join(topOrders(), ", "), hint)
}

// key is the order after a key was typed.
func (o topOrder) key(key byte) topOrder {
	switch key {
	case 'c', 'C':
		return topOrder{by: "cpu"}
	case 'm', 'M':
		return topOrder{by: "memory"}
	case 'i', 'I':
		return topOrder{by: "io"}
	case 'w', 'W':
		return topOrder{by: "net"}
	case 'p', 'P':
		return topOrder{by: "pids"}
	case 'n', 'N':
		return topOrder{by: "name"}
	case 'r', 'R':
		o.reverse = !o.reverse
	}
	return o
}

func (o topOrder) apply(rows []topRow) {
	slices.SortStableFunc(rows, func(a, b topRow) int {
		d := cmp.Compare(o.figure(&b), o.figure(&a))
		if d == 0 {
			d = strings.Compare(a.Name, b.Name)
		}
		if o.reverse {
			d = -d
		}
		return d
	})
}

func (o topOrder) figure(r *topRow) float64 {
	switch o.by {
	case "cpu":
		return number(r.CPUPercent)
	case "memory":
		return number(r.Usage.Memory)
	case "io":
		return number(r.ReadRate) + number(r.WriteRate)
	case "net":
		return number(r.RxRate) + number(r.TxRate)
	case "pids":
		return number(r.Usage.Pids)
	}
	return 0
}

// topColumn is a column of the table; order is the one that it is sorted by. Where there is
// not room for all, those with a spare are left out, the least one first.
type topColumn struct {
	title, order string
	left         bool
	spare        int
	cell         func(*topRow) string
}

func topColumns() []topColumn {
	return []topColumn{
		{title: "NAME", order: "name", left: true, cell: func(r *topRow) string { return escape(r.Name) }},
		{title: "CPU%", order: "cpu", cell: func(r *topRow) string { return tenth(r.CPUPercent) }},
		{title: "THR%", spare: 3, cell: func(r *topRow) string { return tenth(r.Throttled) }},
		{title: "TIME", spare: 2, cell: func(r *topRow) string { return cpuClock(r.Usage.CPU) }},
		{title: "MEMORY", order: "memory", cell: func(r *topRow) string { return orDash(sizeText(r.Usage.Memory)) }},
		{title: "%MEM", spare: 4, cell: func(r *topRow) string { return partOf(r.Usage.Memory, r.Usage.MemoryMax) }},
		{title: "SWAP", spare: 1, cell: func(r *topRow) string { return orDash(sizeText(r.Usage.Swap)) }},
		{title: "READ/s", order: "io", cell: func(r *topRow) string { return rateText(r.ReadRate) }},
		{title: "WRITE/s", order: "io", cell: func(r *topRow) string { return rateText(r.WriteRate) }},
		{title: "RX/s", order: "net", spare: 5, cell: func(r *topRow) string { return rateText(r.RxRate) }},
		{title: "TX/s", order: "net", spare: 6, cell: func(r *topRow) string { return rateText(r.TxRate) }},
		{title: "PIDS", order: "pids", cell: func(r *topRow) string { return optional(r.Usage.Pids) }},
		{title: "PRESSURE", cell: func(r *topRow) string { return pressureText(r.Usage.Pressure) }},
		{title: "STATE", left: true, cell: stateMark},
	}
}

// topLines are the lines of a refresh; the column that it is sorted by has a mark. So that
// a line fits into cols characters columns are left out and a long name is cut; 0 is room
// for all.
func topLines(r *reading, order topOrder, cols int) []string {
	columns := topColumns()
	for {
		table := topTable(r, order, columns)
		widths, total := topWidths(table)
		if over := total - cols; cols > 0 && over > 0 {
			// A name that is cut a little is still one; a guest without its state isn't right.
			if least := leastColumn(columns); over > max(0, widths[0]-goodName) && least > 0 {
				columns = slices.Delete(columns, least, least+1)
				continue
			}
			widths[0] = max(8, widths[0]-over)
		}
		lines := []string{topSummary(r), ""}
		for _, cells := range table {
			lines = append(lines, alignCells(columns, cells, widths))
		}
		return lines
	}
}

// goodName is how much of a name is worth more than a column that can be spared.
const goodName = 16

// leastColumn is the column that is left out first; 0: none is.
func leastColumn(columns []topColumn) int {
	least := 0
	for i, c := range columns {
		if c.spare > 0 && (least == 0 || c.spare < columns[least].spare) {
			least = i
		}
	}
	return least
}

// topTable is the text of all cells, the titles first.
func topTable(r *reading, order topOrder, columns []topColumn) [][]string {
	table := make([][]string, 1, len(r.rows)+1)
	for _, c := range columns {
		title := c.title
		if c.order == order.by {
			title += map[bool]string{false: "*", true: "^"}[order.reverse]
		}
		table[0] = append(table[0], title)
	}
	for i := range r.rows {
		cells := make([]string, len(columns))
		for j, c := range columns {
			cells[j] = c.cell(&r.rows[i])
		}
		table = append(table, cells)
	}
	return table
}

// topWidths are those of the columns, and of a whole line.
func topWidths(table [][]string) (widths []int, total int) {
	widths = make([]int, len(table[0]))
	for j := range widths {
		for _, cells := range table {
			widths[j] = max(widths[j], len([]rune(cells[j])))
		}
		total += widths[j] + 2
	}
	return widths, total - 2
}

func alignCells(columns []topColumn, cells []string, widths []int) string {
	var b strings.Builder
	for j, cell := range cells {
		if j > 0 {
			b.WriteString("  ")
		}
		runes := []rune(cell)
		if len(runes) > widths[j] {
			runes = append(runes[:widths[j]-1], '+')
		}
		pad := strings.Repeat(" ", widths[j]-len(runes))
		if !columns[j].left {
			b.WriteString(pad)
		}
		b.WriteString(string(runes))
		if columns[j].left {
			b.WriteString(pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// topSummary is the first line: all guests together.
func topSummary(r *reading) string {
	var memory, pids int64
	var cpu float64
	for i := range r.rows {
		row := &r.rows[i]
		memory += max(0, int64(number(row.Usage.Memory)))
		pids += max(0, int64(number(row.Usage.Pids)))
		cpu += max(0, number(row.CPUPercent))
	}
	guests := fmt.Sprintf("%d guests", len(r.rows))
	if len(r.rows) == 1 {
		guests = "1 guest"
	}
	return fmt.Sprintf("%s  %s, %d processes and threads, CPU %.1f %%, memory %s",
		r.at.Local().Format(time.TimeOnly), guests, pids, cpu, bytesText(memory))
}

func tenth(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 1, 64)
}

func rateText(v *float64) string {
	if v == nil {
		return "-"
	}
	return bytesText(int64(*v))
}

// cpuClock is CPU time: minutes and seconds with hundredths, from an hour on without.
func cpuClock(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	s := int64(*seconds)
	if s < 3600 {
		return fmt.Sprintf("%d:%05.2f", s/60, *seconds-float64(s/60*60))
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func partOf(n, of *int64) string {
	if n == nil || of == nil || *of == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(*n)/float64(*of), 'f', 1, 64)
}

// stateMark is empty for a guest that just runs.
func stateMark(r *topRow) string {
	if r.State == state.Running {
		return ""
	}
	return string(r.State)
}
