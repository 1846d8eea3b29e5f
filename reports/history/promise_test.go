package history

import (
	"maps"
	"testing"
	"time"
)

func TestLimited(t *testing.T) {
	most, per, ok := LimitOf(Limited(10, 90*time.Second))
	if most != 10 || per != 90*time.Second || !ok {
		t.Errorf("got %d in %v, %v", most, per, ok)
	}
	for _, bad := range []string{"", PromiseStrong, "limited", "limited 0/1s", "limited x/1s", "limited 3", "limited 3/0s", "limited 3/-1s", "limited 3/soon"} {
		if _, _, ok := LimitOf(bad); ok {
			t.Errorf("%q is a limit", bad)
		}
	}
}

func TestSaw(t *testing.T) {
	saw := AppendSaw(AppendSaw(AppendSaw(AppendSaw("", "a", 3), "b c", 4), "", 5), "d", -1)
	if saw != "a=3 d=-1" {
		t.Errorf("saw %q", saw)
	}
	got := maps.Collect(Sights(saw + " x e= =7  f=9"))
	if want := map[string]int64{"a": 3, "d": -1, "f": 9}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range Sights(saw) {
		break // which must be possible
	}
}

func FuzzSights(f *testing.F) {
	f.Add("a=1 b=2")
	f.Add("=1 b= c")
	f.Fuzz(func(t *testing.T, saw string) {
		again := ""
		for key, version := range Sights(saw) {
			again = AppendSaw(again, key, version)
		}
		third := ""
		for key, version := range Sights(again) {
			third = AppendSaw(third, key, version)
		}
		if again != third {
			t.Errorf("%q, then %q", again, third)
		}
	})
}
