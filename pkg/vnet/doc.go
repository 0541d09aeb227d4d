// Package vnet is the setup of a guest's network, with everything in it chosen: what the
// packages below it put into effect, and the names that they give on the host. It does
// nothing itself.
package vnet
