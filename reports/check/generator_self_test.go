package check

import "testing"

// TestGeneratorSaysWhatItTook has the reason of a run that is not settled say
// whether the generator was too slow or was held up.
func TestGeneratorSaysWhatItTook(t *testing.T) {
	g := &generator{}
	if got := g.myself(); got != "" {
		t.Errorf("a generator of which nothing is known says %q", got)
	}
	for _, text := range []string{
		`{"self": {"processor_share": 0.5, "gc_pause_ms": 12.5}}`, `{"self": {"processor_share": 0.97, "gc_pause_ms": 3}}`, `{"self": 1}`, `{`,
	} {
		g.observeSelf(text)
	}
	const want = "; the generator took 97 % of its processors, and paused 12.5 ms at most for garbage collection"
	if got := g.myself(); got != want {
		t.Errorf("myself = %q, want the most of all drills: %q", got, want)
	}
}
