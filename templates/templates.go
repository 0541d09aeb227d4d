// Package templates holds the built-in templates of guests as data: one TOML file each, called after the template. What the
// files may say, and what it means, is in pkg/images; there is no logic here.
package templates

import "embed"

// FS has the files NAME.toml.
//
//go:embed *.toml
var FS embed.FS
