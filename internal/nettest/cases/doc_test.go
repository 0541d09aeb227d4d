// Package cases shows guests' networks as a user meets them: the command line in a host
// of nettest's with an internet behind it. There is one world with guests of several
// kinds, and a test function for all that they do to each other in it, because their
// boots take the time.
package cases
