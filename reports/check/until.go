package check

import (
	"encoding/json"
	"fmt"
)

// skippedOf takes from what the generator says of itself how many operations of
// each phase were never due, because it ended early.
func skippedOf(text string) map[string]int64 {
	var said struct {
		Skipped map[string]int64 `json:"skipped"`
	}
	if json.Unmarshal([]byte(text), &said) != nil {
		return nil // all of them count as due
	}
	return said.Skipped
}

// skipped is how many of the planned operations of a phase were never due.
func (c *course) skipped(drill int, phase string) float64 {
	d := c.drills[drill]
	if d == nil {
		return 0
	}
	return float64(d.skipped[phase])
}

// unmet names the phases that were to last until something is over, and ran to
// the end of the time that they had.
func (c *course) unmet(drills int) []string {
	var texts []string
	for _, d := range c.list() {
		for _, p := range c.phases {
			if p.Until == "" || d.cuts[p.Name] || !d.ended {
				continue
			}
			text := fmt.Sprintf("the phase %s was to last until %s is over, which was not seen within its %s", p.Name, p.Until, span(p.For))
			if drills > 1 {
				text += fmt.Sprintf(", in drill %d", d.number)
			}
			texts = append(texts, text)
		}
	}
	return texts
}
