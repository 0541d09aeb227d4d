package images

import "strings"

// The characters that words of this package are made of. Checked by hand and not
// by regular expressions: those would be compiled before main, at every start of
// the command line, for two milliseconds.
const (
	lowerDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
	urlText     = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ._~:/@%+[]-"
)

// isWord tells whether s is 1 to most characters of set, the first of first.
func isWord(s, first, set string, most int) bool {
	if s == "" || len(s) > most || !strings.Contains(first, s[:1]) {
		return false
	}
	return strings.Trim(s, set) == ""
}

// isImageKey tells whether s may be what Recipe.Key gives, and so the name of a
// directory of the store.
func isImageKey(s string) bool { return isWord(s, lowerDigits, lowerDigits+".+_-", 151) }

// isTemplateName tells whether a template's file may be called so.
func isTemplateName(s string) bool { return isWord(s, lowerDigits, lowerDigits+"._-", 32) }

// isMirrorText tells whether a mirror's URL is written with nothing that ends a
// word in apt's files.
func isMirrorText(s string) bool { return isWord(s, urlText, urlText, 500) }
