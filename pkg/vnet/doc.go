// Package vnet plans and applies a guest's network: from the typed
// configuration to a list of operations, and the operations to the kernel. It
// does not know guests, only namespaces and links.
package vnet
