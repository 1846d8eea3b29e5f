package main

import (
	"testing"
	"time"

	"github.com/proofload/proofload/scenarios/library"
)

// What a rehearsal may take after its system is up is 40 s. What is planned of it
// leaves ten of them for what is not: mending, final reads and the verdict.
const rehearsalPlanned = 30 * time.Second

// TestRehearsalsArePlannedShort plans a rehearsal of everything that ships, and
// adds up all that a plan knows to take time at worst: the load, faults and
// commands that last beyond it, people at gates, further drills.
func TestRehearsalsArePlannedShort(t *testing.T) {
	for _, name := range append(library.Names(), library.Controls()...) {
		a, flags := quietApp(), planFlags{trimFlags: trimFlags{once: true}, seed: 7}
		sc, err := a.readToPlan(name, flags)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := a.buildPlan(sc, flags)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		drill := p.Duration()
		for _, s := range p.Steps {
			drill = max(drill, s.Entry.At+s.Entry.For)
		}
		worst := time.Duration(len(p.Drills)) * (drill + p.Open())
		if len(p.Steps) != len(sc.Timeline) {
			t.Errorf("%s: %d entries happen %d times", name, len(sc.Timeline), len(p.Steps))
		}
		if worst >= rehearsalPlanned || worst == 0 {
			t.Errorf("%s: a rehearsal takes %s by its plan, want less than %s", name, worst, rehearsalPlanned)
		}
		t.Logf("%-32s %s", name, worst)
	}
}
