package main

import "testing"

// TestCatalogue wants every fault to say what the catalogue shows of it.
func TestCatalogue(t *testing.T) {
	for name, k := range catalog() {
		if k.About == "" || k.Needs == "" || k.Undone == "" || len(k.Touches) == 0 || k.Check == nil || k.Heal == nil || k.Gone == nil || k.New == nil {
			t.Errorf("the fault %s lacks something: %q, needs %q, undone %q, touches %q", name, k.About, k.Needs, k.Undone, k.Touches)
		}
		for _, p := range k.Params {
			if p.Name == "" || p.About == "" || p.Measure == "" {
				t.Errorf("the fault %s has a parameter that says too little: %+v", name, p)
			}
		}
	}
}
