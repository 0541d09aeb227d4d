package space

import "encoding/json"

// Plan is what a guest's context needs to know of its network.
type Plan struct {
	Private  bool   `json:"private"`         // a network namespace of its own
	Loopback bool   `json:"loopback"`        // lo is brought up inside it
	Share    string `json:"share,omitempty"` // the guest whose namespace it has instead; "": none
	// Program is sysct-net's path and Setup its Setup, which nobody else reads; none: there
	// is nothing to be set up.
	Program string          `json:"program,omitempty"`
	Setup   json.RawMessage `json:"setup,omitempty"`
}

// Alone is the plan of a namespace with nothing but the loopback interface, and
// HostNetwork of none.
func Alone() Plan { return Plan{Private: true, Loopback: true} }

// HostNetwork is the plan of a guest that has the host's network.
func HostNetwork() Plan { return Plan{} }
