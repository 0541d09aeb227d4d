// Package nearest finds the word that somebody most likely meant: a key, a verb
// or a guest's name with a typing error in it. It is not a search: it knows
// letters, not meanings.
package nearest

import "strings"

// maxRunes bounds the work for hostile words; nobody mistypes longer ones.
const maxRunes = 64

// Of returns the candidate that is nearest to word, or "" if none is near. Near
// means that a third of the word's letters at most (but one always) were left
// out, added, exchanged or swapped with their neighbour; case does not count.
// Of several equally near ones the first wins.
func Of(word string, candidates []string) string {
	w := []rune(strings.ToLower(word))
	if len(w) == 0 || len(w) > maxRunes {
		return ""
	}
	best, limit := "", max(1, len(w)/3)
	for _, candidate := range candidates {
		c := []rune(strings.ToLower(candidate))
		if len(c) == 0 || len(c) > maxRunes {
			continue
		}
		if d := distance(w, c); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// distance is the Damerau-Levenshtein distance in the form of optimal string
// alignment. Three rows are kept: a swap looks back two.
func distance(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
