package sut

import (
	"errors"
	"time"
)

// Commands are how the owner of a system makes one fault of one part of it, and
// undoes it: commands of a shell that run on this machine, in a directory of it.
type Commands struct {
	Inject string
	Heal   string // undoes it, also what was made by half; it may run several times
	Look   string // optional: exits with 0 while the fault is in effect, with 1 while it is not

	// Lease is after how long the system heals itself unless Inject runs again.
	// Zero: it does not.
	Lease time.Duration

	Dir     string            // absolute
	Secrets map[string]Secret // that the commands have in their environment, by name
}

// ErrNoSecret is wrapped by errors that say that a secret is not where it should be.
// Waiting does not bring it there.
var ErrNoSecret = errors.New("there is no such secret")

// A Secret says where a secret is. Its value is in no file of ours.
type Secret struct {
	Env  string `json:"env,omitempty"`  // a variable of the environment; or, with _FILE behind it, one that names a file
	File string `json:"file,omitempty"` // a file that has nothing else in it
}

// A Commander has commands for faults of some of its nodes and links.
type Commander interface {
	// Commands returns those for a fault of a component, which is the name of a
	// node, or of a link with "link:" before it.
	Commands(fault, component string) (Commands, bool)
}
