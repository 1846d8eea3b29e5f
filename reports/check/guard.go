package check

import "fmt"

// A fuse keeps a panic in one part of the court from taking the others with
// it. Once blown, the part is not asked again.
type fuse struct {
	blown string // "checker crashed: " and the panic, or empty
}

// run calls do unless the fuse is blown, and blows it if do panics.
func (f *fuse) run(do func()) {
	if f.blown != "" {
		return
	}
	defer f.guard()
	do()
}

func (f *fuse) guard() {
	if r := recover(); r != nil {
		f.blown = fmt.Sprintf("checker crashed: %v", r)
	}
}

// guarded is a checker behind a fuse; its court tells it events as a witness.
type guarded struct {
	fuse
	Checker
}

// Verdict returns the checker's verdict, or inconclusive if it crashed.
func (g *guarded) Verdict() Verdict {
	var v Verdict
	g.run(func() { v = g.Checker.Verdict() })
	if g.blown != "" {
		return Verdict{Check: g.Name(), Outcome: Inconclusive, Reason: g.blown}
	}
	return v
}
