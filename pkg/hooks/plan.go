package hooks

import "time"

// LXC's names of the hooks.
const (
	PreStart  = "pre-start"
	PreMount  = "pre-mount"
	Mount     = "mount"
	Autodev   = "autodev"
	StartHost = "start-host"
	Start     = "start"
	Stop      = "stop"
	PostStop  = "post-stop"
	Clone     = "clone"
	Destroy   = "destroy"
)

// Plan is the hooks of a guest.
type Plan struct {
	Commands map[string][][]string `json:"commands,omitempty"` // by LXC's name: programs with their arguments
	Timeout  time.Duration         `json:"timeout"`            // of each command

	// What they are told, beside what is told only here and there.
	ConfigFile string `json:"config_file,omitempty"`
	ConsoleLog string `json:"console_log,omitempty"`
}

// Has says whether there is a hook of one of the names.
func (p *Plan) Has(names ...string) bool {
	for _, name := range names {
		if len(p.Commands[name]) > 0 {
			return true
		}
	}
	return false
}

// Most is how long the hooks of those names may take all together.
func (p *Plan) Most(names ...string) time.Duration {
	n := 0
	for _, name := range names {
		n += len(p.Commands[name])
	}
	return time.Duration(n) * p.Timeout
}
