package monitor

import (
	"fmt"
	"os"
	"strings"

	"github.com/sysct/sysct/pkg/guest/console"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// Check is `sysct-helper check`: it says whether this program understands what a
// running monitor keeps, by copies of its descriptors, and changes nothing in them. It
// prints its version, or what it doesn't understand.
func Check(version string) int {
	stored, err := fdstore.Received()
	for _, s := range stored {
		if err == nil {
			err = checkStored(s)
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Fprintln(os.Stdout, version)
	return 0
}

func checkStored(s fdstore.Stored) error {
	var err error
	switch {
	case s.Name == fdPlan:
		_, err = readPlan(s.FD)
	case s.Name == fdShared:
		_, _, err = openSlots(s.FD)
	case strings.HasPrefix(s.Name, fdRing):
		err = console.CheckRing(s.FD)
	}
	return err
}
