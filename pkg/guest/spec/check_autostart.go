package spec

import (
	"slices"
	"time"
)

// The bounds of [autostart].
const (
	maxOrder = 1_000_000
	maxDelay = Duration(time.Hour)
)

func (a *Autostart) check(fail report) {
	checkRange("autostart.order", a.Order, -maxOrder, maxOrder, fail)
	checkRange("autostart.delay", a.Delay, 0, maxDelay, fail)
	for _, list := range []struct {
		key   string
		names []string
	}{{"autostart.groups", a.Groups}, {"autostart.after", a.After}, {"autostart.requires", a.Requires}} {
		for i, name := range list.names {
			if err := CheckName(name); err != nil {
				fail(indexPath(list.key, i), "%s", err)
			} else if slices.Contains(list.names[:i], name) {
				fail(indexPath(list.key, i), "%s is named twice", show(name))
			}
		}
	}
}
