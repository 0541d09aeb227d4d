//go:build !failpoints

package guest

// failpoint does nothing in a product build; see failpoint_on.go.
func failpoint(string) error { return nil }
