package epoll

// RuntimeEnv are the variables for Go's runtime in a process that is an event loop: one
// thread that runs Go code is enough. Its own look at control groups costs descriptors
// and wake-ups, and its profiles, which nobody reads, two pages a thread.
func RuntimeEnv() []string {
	return []string{"GOMAXPROCS=1", "GODEBUG=containermaxprocs=0,updatemaxprocs=0,profstackdepth=0"}
}
