package limits

// Pids are a guest's processes and threads.
type Pids struct {
	Current int64
	Peak    *int64 // the most that Current has been; nil before Linux 6.1
	Max     *int64 // nil is no limit
	// Hits is how many forks failed because of Max. Before Linux 6.11 v2 counts them
	// in the group that forked, so that those below payload are missing.
	Hits *int64
}

// pids reads a group of either version; nil if the controller is not enabled there.
func (f Files) pids() (*Pids, error) {
	read, _ := f.of("pids")
	current, err := optional(number(read, "pids.current"))
	if current == nil || err != nil {
		return nil, err
	}
	p := &Pids{Current: *current}
	if err := figures(read, figure{"pids.peak", &p.Peak}, figure{"pids.max", &p.Max}); err != nil {
		return nil, err
	}
	events, err := keys(read, "pids.events")
	p.Hits = events.get("max")
	return p, err
}
