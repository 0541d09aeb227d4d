package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// CheckCPUSet checks the form of a list of CPUs as the kernel writes it, "0-3,6":
// numbers and rising ranges, separated by commas. Whether the CPUs are there is not
// looked at.
func CheckCPUSet(s string) error {
	if s == "" {
		return errors.New("the list of CPUs is empty")
	}
	for item := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		low, err := parseCPU(s, first)
		if err != nil {
			return err
		}
		high, err := parseCPU(s, last)
		if err != nil {
			return err
		}
		if high < low {
			return fmt.Errorf("%s: the range %s falls", show(s), show(item))
		}
	}
	return nil
}

// parseCPU reads one number of the list s.
func parseCPU(s, number string) (int, error) {
	if number == "" {
		return 0, fmt.Errorf("%s: a number is missing", show(s))
	}
	if !madeOf(number, digits) {
		return 0, fmt.Errorf("%s: %s is not the number of a CPU", show(s), show(number))
	}
	n, err := strconv.Atoi(number)
	if err != nil || n >= maxCPUs {
		return 0, fmt.Errorf("%s: CPU %s is past the last possible one, %d", show(s), show(number), maxCPUs-1)
	}
	return n, nil
}
