package metrics

import (
	"strconv"
	"strings"

	"github.com/sysct/sysct/pkg/guest"
)

// Format is one of the two text formats.
type Format int

// The formats.
const (
	OpenMetrics Format = iota // 1.0
	Classic                   // Prometheus's, 0.0.4: no units, no kind info, no end
)

// ContentType is what a web server says of the format.
func (f Format) ContentType() string {
	if f == Classic {
		return "text/plain; version=0.0.4; charset=utf-8"
	}
	return "application/openmetrics-text; version=1.0.0; charset=utf-8"
}

// Append writes the figures of all guests. A family of which no guest has a figure is left out.
func Append(text []byte, list []guest.Info, f Format) []byte {
	var b strings.Builder
	b.Grow(4096 + 7500*len(list))
	for _, fam := range families() {
		fam.write(&b, list, f)
	}
	if f == OpenMetrics {
		b.WriteString("# EOF\n")
	}
	return append(text, b.String()...)
}

func (fam *family) write(b *strings.Builder, list []guest.Info, f Format) {
	sampleName := fam.name
	switch fam.kind {
	case counter:
		sampleName += "_total"
	case info:
		sampleName += "_info"
	}
	headed := false
	for i := range list {
		for _, s := range fam.of(&list[i]) {
			if !headed {
				fam.head(b, sampleName, f)
				headed = true
			}
			b.WriteString(sampleName)
			b.WriteString(`{guest="`)
			escapeLabel(b, list[i].Name)
			for _, l := range s.labels {
				b.WriteString(`",` + l.name + `="`)
				escapeLabel(b, l.value)
			}
			b.WriteString(`"} `)
			b.WriteString(strconv.FormatFloat(s.value, 'f', -1, 64))
			b.WriteByte('\n')
		}
	}
}

// head describes the family. In the classic format it goes by its samples' name.
func (fam *family) head(b *strings.Builder, sampleName string, f Format) {
	name, kind := fam.name, string(fam.kind)
	if f == Classic {
		name = sampleName
		if fam.kind == info {
			kind = string(gauge)
		}
	}
	b.WriteString("# HELP " + name + " " + fam.help + "\n")
	b.WriteString("# TYPE " + name + " " + kind + "\n")
	if fam.unit != "" && f == OpenMetrics {
		b.WriteString("# UNIT " + name + " " + fam.unit + "\n")
	}
}

// escapeLabel writes a label's value: what isn't UTF-8 becomes U+FFFD, which both formats want.
func escapeLabel(b *strings.Builder, value string) {
	for _, r := range value {
		switch r {
		case '\\', '"':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		default: // RuneError among them
			b.WriteString(string(r))
		}
	}
}
