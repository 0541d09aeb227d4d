// Package guest manages the guests of an instance: it creates, starts, stops,
// enters, lists and destroys them. It is all that the command line uses and what
// another Go program imports.
//
// A Manager holds no state of its own: what a guest is lies in its directory,
// whether it lives is asked of the kernel and of its monitor, a process of its
// own that outlives the program that started it. Managers of several processes
// may work on one instance; each verb takes the guest's lock.
package guest
