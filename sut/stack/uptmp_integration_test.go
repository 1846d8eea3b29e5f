//go:build integration

package stack

import "testing"

func TestUpTmp(t *testing.T) {
	s, err := Up(t.Context(), Config{Name: LedgerName, ID: "try"})
	if err != nil {
		t.Fatal(err)
	}
	parts, total := s.Parts()
	for _, p := range parts {
		t.Logf("%5.1f s  %s", p.Took.Seconds(), p.Name)
	}
	t.Logf("%5.1f s  in all", total.Seconds())
}
