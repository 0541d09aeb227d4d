package guest

import (
	"errors"
	"strings"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// mendConfig is how to mend what is wrong with the configuration of the guest whose
// directory is dir: not always in its own file, and that is all that edit opens.
func mendConfig(name, dir string, err error) string {
	edit := "sysct edit " + name
	var place *spec.ParseError
	switch {
	case errors.Is(err, idledger.ErrFull):
		return "sysct unset " + name + " nesting"
	case !errors.As(err, &place):
		return edit
	case place.File != dir+"/config.toml":
		return "edit " + place.File + ", which other guests may have too"
	case strings.HasPrefix(place.Field, "profiles[") || strings.HasPrefix(place.Field, "include["):
		return "put the file in order that it names, or name another: " + edit
	}
	return edit
}
