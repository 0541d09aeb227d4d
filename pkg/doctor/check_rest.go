package doctor

import (
	"fmt"
	"strings"
)

// templates: what an image of each would lack.
func templates(h *Host) []Finding {
	var all []Finding
	var good []string
	for _, t := range h.Templates {
		if t.Err == nil {
			good = append(good, t.Name)
			continue
		}
		text := t.Err.Error()
		f := Finding{Severity: Note, Found: fmt.Sprintf("no image can be built from %s: %s", t.Name, text), Why: "guests of that template can be made only from an image in the cache"}
		if _, after, ok := strings.Cut(text, "(apt-get install "); ok {
			f.Mend, _, _ = strings.Cut("apt-get install "+after, ")")
		}
		all = append(all, f)
	}
	if len(good) > 0 {
		all = append(all, Fine("%s can be built", strings.Join(good, ", ")))
	} else if len(h.Templates) > 0 {
		all[0].Severity = Warning
		if all[0].Mend == "" {
			all[0].Mend = "see what they want: sysct template " + h.Templates[0].Name
		}
	}
	return all
}

// fuse: what a guest sees of the machine is served by it.
func fuse(h *Host) []Finding {
	if err := h.Try(TryFUSE); err != nil {
		return []Finding{{Severity: Warning, Found: fmt.Sprintf("/dev/fuse doesn't work: %v", err),
			Why: "guests see the host's memory, CPUs, load and times in /proc instead of their own", Mend: "modprobe fuse"}}
	}
	if err := h.Try(TryResend); err != nil {
		return fine("it works, without FUSE_NOTIFY_RESEND")
	}
	return fine("it works, with FUSE_NOTIFY_RESEND")
}

// leftovers are what killed verbs have left.
func leftovers(h *Host) []Finding {
	lines, err := h.Leftovers()
	if err != nil {
		return unknown(err)
	}
	if len(lines) == 0 {
		return fine("none")
	}
	what := lines[0]
	if len(lines) > 1 {
		what += fmt.Sprintf(" and %d more", len(lines)-1)
	}
	return []Finding{{Severity: Note, Found: fmt.Sprintf("%d: %s", len(lines), what), Why: "they take space, and ids or names", Mend: "sysct gc"}}
}

// helpers: an upgrade doesn't touch what runs.
func helpers(h *Host) []Finding {
	if n := len(h.Helpers.Other); n > 0 {
		return []Finding{{Severity: Note, Found: fmt.Sprintf("monitors of %d running guests are of another version than this sysct: %s", n, shorten(h.Helpers.Other)),
			Why: "they go on as they are; what is new comes with their next start", Mend: "sysct restart " + strings.Join(h.Helpers.Other, " ")}}
	}
	return fine("all monitors are of this version")
}

// shorten lists some of the names.
func shorten(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], " ") + " …"
	}
	return strings.Join(names, " ")
}
