// Package autostart plans in what order guests are started and stopped: pure functions
// over what the table [autostart] of their configurations says.
//
//	Choose   which guests start by themselves, and why some can't
//	NewPlan  what waits for what
//	Walk     does something with each, as soon as those before it are done
//	Units    the same for systemd, as unit files' drop-ins
//
// It starts and stops nothing, and reads and writes no file.
package autostart
