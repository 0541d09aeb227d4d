// Package machine makes and runs Debian machines with systemd under emulation, for tests: QEMU without hardware virtualization, two
// processors, 2 GiB, no network.
//
// A Base is what all machines of a release go on from: a disk and the saved state of a system that has booted. It is made by one
// recipe, kept in the tests' cache under a digest of it, and never changed. A Machine is a QEMU process that loads the saved state
// in a few seconds and keeps what it writes to its disks in a file that goes with it. Programs under test aren't part of a Base;
// they come on drives that are plugged in after the state is loaded, so that a new build needs no new Base.
//
// What is run in a machine, and which tests are, is the business of internal/vm.
package machine
