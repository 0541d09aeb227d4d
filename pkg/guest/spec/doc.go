// Package spec is what a user writes: a guest's config.toml, the host's
// sysct.toml, and the names of guests, each read into typed values or refused
// with the line, the column and the reason.
//
// It knows the form of things and what is impossible anywhere. It doesn't look
// at the host: whether a CPU is online or a controller is there, the packages
// that use the values find out. What the program itself keeps about a guest is
// in package state.
//
// The comments of the fields of Guest and Host are the manual: the files that
// Render writes and the reference pages are made from them.
package spec

//go:generate go run ./internal/genfields
