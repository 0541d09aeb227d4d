package spec

// DefaultNetwork is the network that is always there.
const DefaultNetwork = "sysctbr0"
