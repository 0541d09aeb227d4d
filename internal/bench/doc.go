// Command bench times sysct and LXC side by side, as their users call them: the
// same root file systems, the same run, in turn. `make bench` builds and runs it
// as root on Debian; -h shows its options.
//
// It is for figures to be quoted, not for tests: nothing here passes or fails by
// a time. All that it makes is below one directory and in private mount and network
// namespaces, and is gone when it ends, also by a signal.
//
//	main, run     options; the rows that are asked for, in their order
//	peer_*, lxcfs how a user of sysct, or of LXC, does each thing
//	row, rows_*   what is measured: what is done before, in and after the clock
//	reader        what runs in a guest and times its virtual files
//	talk          what is talked to in a guest over the network
//	tree          what a guest's tree gets, so that its init can say "here I am"
//	proc, fifo    starting a program, and the events that stop the clock
//	table, host   the result, and what has to be known to read it
package main
