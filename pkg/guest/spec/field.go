package spec

// Field is the manual of one key of a configuration file. The tables of them are
// generated from the comments in Guest and Host.
type Field struct {
	Key     string // limits.memory; net.type for a key of [[net]]
	Type    string // "size", "duration", "quota", "string", "integer", "true or false", "list of strings", "table", …
	Summary string // what it is for, in lines of up to 80 characters
	Unit    string // what its value counts; "": nothing
	Default string // the value, or a word for it; "" for tables
	Change  string // when a change counts: "restart", with the guest's next start; "live", at once
	Example string // a value, if Default is none
}
