// Package nettest gives a test a host of its own, as far as the network goes: the
// test's program is run again, for this one test, in new network and mount
// namespaces. There it may make links, addresses, routes, rules and sysctls as it
// likes, and start sysct, whose holder, monitors and guests are in there as well.
// Around that host it can make others: an "internet" with name servers and echoes,
// neighbours, anything that a namespace is. When the test ends all of it has to be
// gone, and the machine's own network as it was; both is checked. Images of guests
// are built outside, before: there is no way out of such a host. It is for tests
// only.
package nettest
