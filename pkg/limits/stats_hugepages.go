package limits

// Hugepages is a guest's memory in huge pages of one size, in bytes.
type Hugepages struct {
	Size    string // the kernel's name of it, as "2MB"
	Current int64
	Max     *int64 // nil is no limit
}

// hugepages reads those of each size that the host has, and the guest a limit or pages of;
// none where the controller is not enabled.
func (f Files) hugepages() (all []Hugepages, err error) {
	read, v1 := f.of("hugetlb")
	current, limit := "current", "max"
	if v1 {
		current, limit = "usage_in_bytes", "limit_in_bytes"
	}
	for _, size := range f.PageSizes {
		var used, most *int64
		if err := figures(read, figure{"hugetlb." + size + "." + current, &used}); err != nil {
			return nil, err
		}
		if used == nil {
			return all, nil // no such controller; to ask for each file costs some time
		}
		if err := figures(read, figure{"hugetlb." + size + "." + limit, &most}); err != nil {
			return nil, err
		}
		// v1's figure of no limit is shown on v2, too, for sizes that don't divide it.
		most = limited(most)
		if *used > 0 || most != nil {
			all = append(all, Hugepages{size, *used, most})
		}
	}
	return all, nil
}
