package main

// rows are all rows, in the order of the result.
func rows() []row {
	return append([]row{
		{"start", "start to the guest's first command, busybox", "ms", 0, all, startRow(busybox)},
		{"first", "the same for the first guest of the host", "ms", 0, two, firstRow(busybox)},
		{"exec", "exec /bin/true", "ms", 0, most, runningRow(doExec, doNothing, "/bin/true")},
		{"freeze", "freeze", "ms", 0, most, runningRow(doFreeze, doThaw)},
		{"thaw", "thaw", "ms", 0, most, thawRow},
		{"kill", "kill, busybox", "ms", 0, most, endRow(busybox, doKill)},
		{"debian-start", "start of Debian to running", "ms", 0, most, startRow(debian)},
		{"debian-stop", "stop of Debian", "ms", 0, most, endRow(debian, doStop)},
		{"create-busybox", "create busybox from the cache", "ms", 0, two, createRow(busybox)},
		{"create-debian", "create Debian from the cache; LXC: from a tarball", "ms", 5, two, createRow(debian)},
		{"clone-full", "clone of a Debian of 240 MB, full", "ms", 10, two, cloneRow(doClone)},
		{"clone-s", "clone -s of a Debian of 240 MB", "ms", 0, two, cloneRow(doSnapshot)},
		{"ls-stopped", "ls of 100 guests", "ms", 0, two, listRow(doList, false)},
		{"ls-f-stopped", "ls -f of 100 guests", "ms", 0, two, listRow(doListFancy, false)},
		{"ls-running", "ls of 100 running guests", "ms", 0, two, listRow(doList, true)},
		{"ls-f-running", "ls -f of 100 running guests", "ms", 0, two, listRow(doListFancy, true)},
		{"top-100", "CPU time of a refresh of top at 100 guests", "ms", 5, alone, refreshRow},
		{"metrics-100", "CPU time of metrics at 100 guests", "ms", 5, alone, metricsRow},
		{"console", "50 MB to the console, nobody attached", "MB/s", 0, two, consoleRow(false)},
		{"console-client", "50 MB to the console, a client attached", "MB/s", 0, two, consoleRow(true)},
		{"starts-row", "100 starts in a row", "ms", 5, two, startsRow(1)},
		{"starts-4", "100 starts, 4 at once", "ms", 5, two, startsRow(4)},
		{"memory-20", "PSS of a monitor at 20 guests", "KiB", 1, two, monitorRow(20, false)},
		{"memory-asked", "the same after each was asked for its state", "KiB", 1, two, monitorRow(20, true)},
		{"memory-100", "PSS of a monitor at 100 guests", "KiB", 1, two, monitorRow(100, false)},
		{"host-20", "the host's memory a guest at 20", "KiB", 3, two, hostRow(20)},
		{"host-100", "the host's memory a guest at 100", "KiB", 3, two, hostRow(100)},
	}, append(viewRows(), netRows()...)...)
}
