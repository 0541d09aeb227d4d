package control

// Resources are what the guest's init was given by its configuration.
type Resources struct {
	Rlimits     []Rlimit `json:"rlimits,omitempty"`
	OOMScoreAdj int      `json:"oom_score_adj,omitempty"`
}

// Rlimit is a resource limit, see getrlimit(2).
type Rlimit struct {
	Resource int    `json:"resource"`
	Soft     uint64 `json:"soft"`
	Hard     uint64 `json:"hard"`
}
