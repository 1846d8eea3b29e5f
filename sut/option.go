package sut

import "strings"

// An OptionError is what is wrong with one option of a target.
type OptionError struct {
	Name  string
	Known []string // where there is no such option: those that there are
	Msg   string   // all of it, for people
}

// Error implements error.
func (e OptionError) Error() string { return e.Msg }

// OptionErrors are all that is wrong with the options of a target.
type OptionErrors []OptionError

// Error implements error with a line for each.
func (e OptionErrors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Msg
	}
	return strings.Join(lines, "\n")
}

// Err returns them as an error, or nil if there are none.
func (e OptionErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
