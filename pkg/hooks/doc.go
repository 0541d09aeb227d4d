// Package hooks runs the programs that a guest's configuration names for points of its
// life, as far as they run on the host, and words what all of them are told: the
// environment and the JSON on standard input. Those that run in the guest's namespaces
// are run by the stage, which is told what to run by package context.
//
// The names of hooks and variables are LXC's. Source: lxc.container.conf(5), "CONTAINER
// HOOKS".
package hooks
