package doctor

import (
	"fmt"
	"strings"
)

// In a guest sysct does without what the guest's user namespace doesn't let it have: no
// setting there gives it back, so that is what the checks say, and not how to mend a host.

// onTheHost is the one way to have what a guest can't give.
const onTheHost = "make guests that need it on the host itself, beside this one"

// nestedMaps is idmappedMounts in a guest.
func nestedMaps(h *Host) []Finding {
	var none []string
	for _, d := range []struct{ name, path string }{{"state", h.Dirs.State}, {"cache", h.Dirs.Cache}} {
		if h.Try(TryIDMap.On(d.path)) != nil {
			none = append(none, d.name)
		}
	}
	if len(none) == 0 {
		return fine("they work in this guest")
	}
	return []Finding{{Severity: Warning, Found: fmt.Sprintf("sysct runs in a guest, which can't map the ids of the file systems that it was given (%s)", strings.Join(none, ", ")),
		Why: "new guests get the backend shift: a full copy of the image, and no snapshots", Mend: onTheHost}}
}

// nestedControllers is of the controllers that a guest hasn't got from its host.
func nestedControllers(missing []string) []Finding {
	if len(missing) == 0 {
		return nil
	}
	return []Finding{{Severity: Warning, Found: "sysct runs in a guest, which hasn't the controllers " + strings.Join(missing, " "),
		Why: "limits by them are refused here, or dropped with a warning if they are defaults; those of this guest hold for all in it", Mend: onTheHost}}
}

// nestedRanges is how to have more ids in a guest.
func nestedRanges(h *Host) string {
	if h.IDs.Used == 0 && h.IDs.Free == 0 {
		return "nesting = true in this guest's configuration, if its host runs sysct"
	}
	return "sysct gc, and destroy guests that aren't needed: nesting gives no more ids"
}
