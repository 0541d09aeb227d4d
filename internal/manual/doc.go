// Package manual writes the manual pages and the reference of the configuration: from
// the fields' comments in pkg/guest/spec, and from what the command line says of
// itself. It knows how the pages look, and nothing about what is in them.
package manual
