//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

// What a terminal's settings are asked and told with.
const (
	askTerminal  = unix.TIOCGETA
	tellTerminal = unix.TIOCSETA
)
