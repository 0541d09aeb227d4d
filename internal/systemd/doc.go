// Package systemd asks the host's systemd for what sysct needs of it: to start and
// stop units and wait for that, to make a scope for a guest, to enable units and to
// read its files anew.
//
// It speaks D-Bus (org.freedesktop.systemd1(5)) by the system bus or, where no bus
// runs, by systemd's own socket, which root may use. It isn't linked into the helper,
// and decides nothing about guests.
package systemd
