// Empty on purpose: a package with an assembly file may declare functions
// without a body, which the linked names in hooks_go*.go are.
