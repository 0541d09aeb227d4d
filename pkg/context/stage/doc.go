// Package stage is the child side of a context: what runs inside the new
// namespaces, as the guest's root, from its clone until it becomes the guest's
// init. It runs in a process of its own, on one locked thread, and shares only
// the protocol with the parent. Nothing here runs on the host's side.
package stage
