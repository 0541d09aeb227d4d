package doctor

// Trial names something of the kernel's that is tried.
type Trial string

// The trials. Those of a directory have its path behind them: see [Trial.On].
const (
	TryUser      Trial = "user namespace"
	TryMount     Trial = "mount namespace"
	TryPid       Trial = "pid namespace"
	TryUTS       Trial = "uts namespace"
	TryIPC       Trial = "ipc namespace"
	TryNet       Trial = "net namespace"
	TryCgroup    Trial = "cgroup namespace"
	TryTime      Trial = "time namespace"
	TryMountAPI  Trial = "fsopen, fsmount, open_tree"
	TryOpenat2   Trial = "openat2"
	TryPidfd     Trial = "pidfd_getfd"
	TryPidInfo   Trial = "PIDFD_GET_INFO"
	TryIntoGroup Trial = "CLONE_INTO_CGROUP"
	TryKill      Trial = "cgroup.kill"
	TryFreeze    Trial = "cgroup.freeze"
	TryDevices   Trial = "device program"
	TrySeccomp   Trial = "seccomp filter"
	TryFUSE      Trial = "/dev/fuse"
	TryResend    Trial = "FUSE_NOTIFY_RESEND"
	TryIDMap     Trial = "idmapped mount"
	TryOverlay   Trial = "overlay"
	TryReflink   Trial = "reflink"
)

// On is the trial in a directory.
func (t Trial) On(dir string) Trial { return t + Trial(" "+dir) }
