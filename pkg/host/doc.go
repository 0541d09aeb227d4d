// Package host is the host service of an instance, sysct host run: a list of
// reconcilers, each of which keeps one part of the host as the configuration wants it.
// Autostart is one of them.
//
//	Run                                              a service manager, an administrator
//	 | lock, Prepare                     -- READY=1 -----> |
//	 | collect what killed verbs left                      |
//	 | Reconcile each, in order                            |
//	 |                                   <-- SIGHUP ------ | configuration changed
//	 | Reconcile each                    -- READY=1 -----> |
//	 |                                   <-- SIGTERM ----- |
//	 | Close each, the last first        -- STOPPING=1 --> |
//
// Where guests are units of systemd, this orders them by unit files and has systemd start
// them; the end of the service is nothing to them then. Elsewhere it starts them itself,
// and its end by SIGTERM stops them, or only if the host goes down, if it is to keep them.
//
// It keeps no state in memory that its next life would need: it may be killed at any time.
package host
