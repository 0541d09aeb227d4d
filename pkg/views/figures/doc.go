// Package figures reads the figures that package views renders: of a guest's
// control groups, of either version, and of the host. It opens every file once,
// and has no goroutines: its user calls it from an event loop.
//
// It reads the host's /proc and /sys and the groups that are root's alone,
// nothing of a guest's tree.
package figures
