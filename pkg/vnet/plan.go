package vnet

import "fmt"

// The types of a guest's network.
const (
	TypeNone = "none" // a private namespace with loopback up
	TypeHost = "host" // the host's own namespace
)

// Plan is what a guest's network needs.
type Plan struct {
	Private  bool `json:"private"`  // a network namespace of its own
	Loopback bool `json:"loopback"` // lo is brought up inside it
}

// NewPlan gives the plan for the types of the guest's networks; none at all is
// TypeNone. Unknown types, and the host's network beside another, are errors.
func NewPlan(types []string) (Plan, error) {
	private := Plan{Private: true, Loopback: true}
	if len(types) == 0 {
		return private, nil
	}
	if len(types) > 1 {
		return Plan{}, fmt.Errorf("cannot plan network: %d networks, at most one is supported", len(types))
	}
	switch types[0] {
	case TypeNone:
		return private, nil
	case TypeHost:
		return Plan{}, nil
	}
	return Plan{}, fmt.Errorf("cannot plan network: unknown type %q (none, host)", types[0])
}
