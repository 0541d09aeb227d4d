// Package terminal is the user's side of a guest's tty: it puts the user's terminal
// into raw mode, carries bytes between it and a connection ([Attach], for the
// console) or a pty master ([Relay], for a command with a tty), and restores it.
//
// It opens no connection, knows no guest and interprets no output.
//
//	terminal -- in --> escape --> queue --> connection --> monitor
//	         <-- out -------------------- connection <--
//
// Both directions are copied by goroutines of their own, so that the escape key
// works while output is stuck, and output goes on while the guest doesn't read.
package terminal
