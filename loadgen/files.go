package loadgen

import "golang.org/x/sys/unix"

// makeRoomForFiles has the kernel make room for so many open files at once. It
// doubles the room whenever it is used up, and in a process of several threads
// the call that meets that, such as one that makes a connection, waits for all
// processors to have been elsewhere: 20 ms and more, in which a runtime with one
// processor does nothing. Room that was made stays. What cannot be had, because
// of a limit on files for example, is not missed: it would be needed later.
func makeRoomForFiles(n int) {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, n)
	if err == nil {
		_ = unix.Close(fd)
	}
}
