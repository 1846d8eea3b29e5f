package httpload

import "testing"

// TestAnswers reads which headers say who has answered.
func TestAnswers(t *testing.T) {
	f := parseText(t, "answers: {instance: x-node, timeline: X-Epoch}\nrequests: [{name: home, get: /}]")
	if instance, timeline := f.Answers(); instance != "X-Node" || timeline != "X-Epoch" {
		t.Errorf("Answers = %q, %q", instance, timeline)
	}
	if instance, timeline := parseText(t, "requests: [{name: home, get: /}]").Answers(); instance != "" || timeline != "" {
		t.Errorf("Answers of a file without = %q, %q", instance, timeline)
	}
}
