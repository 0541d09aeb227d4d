package store

import "golang.org/x/sys/unix"

// fdList gathers descriptors that are closed together.
type fdList struct {
	all    []int
	mounts []int // those of all that are detached mounts
}

// add takes what an open call returned, and hands it on.
func (l *fdList) add(fd int, err error) (int, error) {
	if err == nil {
		l.all = append(l.all, fd)
	}
	return fd, err
}

func (l *fdList) addMount(fd int, err error) (int, error) {
	if err == nil {
		l.mounts = append(l.mounts, fd)
	}
	return l.add(fd, err)
}

func (l *fdList) close() {
	for _, fd := range l.all {
		unix.Close(fd)
	}
	l.all, l.mounts = nil, nil
}
