// Package tomltext edits TOML as text: a key is set or removed, and every byte that
// has nothing to do with it stays, comments, order, line ends and all.
//
// It knows TOML's grammar and not its types: what it is given must have passed a
// parser of TOML, and whoever writes what it returns has it parsed again.
package tomltext
