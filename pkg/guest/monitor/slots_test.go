package monitor

import "testing"

// TestSlotSum: the check value of CRC-32C, in two parts. Monitors of other versions
// read what this one writes.
func TestSlotSum(t *testing.T) {
	if got := slotSum([]byte("1234"), []byte("56789")); got != 0xe3069283 {
		t.Errorf("got %#x", got)
	}
}
