//go:build !failpoints

package monitor

// failpoint does nothing in a product build; see failpoint_on.go.
func failpoint(string) error { return nil }
