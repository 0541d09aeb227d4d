package holder

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// maxNotify is the longest message taken, in bytes, as systemd's.
const maxNotify = 4096

// listenNotify makes the socket that monitors send to. Credentials come with
// each message and say which monitor it is from.
func listenNotify(dirFD int) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// Before the bind: no message may come without them.
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		unix.Unlinkat(dirFD, notifyName, 0)
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dirFD, notifyName)})
	}
	if err == nil {
		err = unix.Fchmodat(dirFD, notifyName, 0o600, 0)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot make socket %s: %w", notifyName, err)
	}
	return fd, nil
}

// drainNotify reads all that monitors have sent.
func (h *holder) drainNotify() {
	buf := make([]byte, maxNotify)
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*maxKept))
	for {
		n, oobn, _, _, err := unix.Recvmsg(h.notify, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		fds, cred := ancillary(oob[:oobn])
		if !h.take(cred, fdstore.Parse(buf[:n]), fds) {
			control.CloseAll(fds)
		}
	}
}

// take acts on one message, and says whether the descriptors were taken over.
func (h *holder) take(cred *unix.Ucred, msg fdstore.Message, fds []int) bool {
	if cred == nil || cred.Uid != 0 {
		return false
	}
	m := h.byPid(int(cred.Pid))
	if m == nil {
		// A monitor that is being adopted answers before it sends.
		h.finishAdoptions()
		m = h.byPid(int(cred.Pid))
	}
	if m == nil {
		h.log.printf("process %d sent a message, which is no monitor", cred.Pid)
		return false
	}
	name, _ := msg.Get("FDNAME")
	switch {
	case msg.Has("FDSTOREREMOVE", "1"):
		m.drop(name)
	case msg.Has("FDSTORE", "1") && len(fds) == 1 && fdstore.ValidName(name):
		if !m.keep(name, fds[0]) {
			h.log.printf("monitor of %s left more than %d descriptors; %s is not kept", m.name, maxKept, name)
		}
		return true
	case msg.Has("STOPPING", "1"):
		m.done = true
	case msg.Has("WATCHDOG", "1"):
		m.alive = time.Now()
	}
	return false
}

// ancillary takes descriptors and credentials out of control messages.
func ancillary(oob []byte) (fds []int, cred *unix.Ucred) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, nil
	}
	for i := range msgs {
		if some, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, some...)
		}
		if c, err := unix.ParseUnixCredentials(&msgs[i]); err == nil {
			cred = c
		}
	}
	return fds, cred
}
