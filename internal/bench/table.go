package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// table is the result, in Markdown: a line a row and peer, and the ratio of the
// medians to the second peer's, or to its own if it is alone.
type table struct{ lines [][]string }

func newTable() *table {
	return &table{lines: [][]string{{"", "", "runs", "min", "median", "max", "ratio"}}}
}

func (t *table) add(r row, all []samples) {
	base := median(all[min(1, len(all)-1)].values)
	for i, s := range all {
		title := ""
		if i == 0 {
			title = r.title + ", " + r.unit
		}
		m := median(s.values)
		t.lines = append(t.lines, []string{title, s.peer.title(), fmt.Sprint(len(s.values)),
			figure(slices.Min(s.values)), figure(m), figure(slices.Max(s.values)), ratio(m, base)})
	}
}

// ratio is of two medians; nothing can be said of one to nothing.
func ratio(m, base float64) string {
	if base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", m/base)
}

// figure has three digits that count.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func (t *table) print(w io.Writer) {
	widths := make([]int, len(t.lines[0]))
	for _, line := range t.lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	rule := make([]string, len(widths))
	for i := range rule {
		rule[i] = strings.Repeat("-", max(widths[i]-1, 2)) + ":"
		if i < 2 {
			rule[i] = strings.Repeat("-", max(widths[i], 3))
		}
	}
	fmt.Fprintln(w)
	for i, line := range t.lines {
		writeLine(w, line, widths)
		if i == 0 {
			writeLine(w, rule, widths)
		}
	}
}

// writeLine aligns words to the left, figures to the right.
func writeLine(w io.Writer, cells []string, widths []int) {
	for i, cell := range cells {
		if i < 2 {
			fmt.Fprintf(w, "| %-*s ", widths[i], cell)
		} else {
			fmt.Fprintf(w, "| %*s ", widths[i], cell)
		}
	}
	fmt.Fprintln(w, "|")
}
