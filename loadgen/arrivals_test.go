package loadgen

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadArrivals(t *testing.T) {
	got, err := ReadArrivals(strings.NewReader("# seconds\n0\n\n0.000000001\n 1.5 \n1.5\r\n3"))
	want := []time.Duration{0, 1, 1500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadArrivals = %v, %v; want %v", got, err, want)
	}
	for text, want := range map[string]string{
		"":               "no arrivals",
		"# nothing\n":    "no arrivals",
		"1\n2\nthree\n":  `line 3: "three" is not a time in seconds from 0 to 604800`,
		"-1":             `line 1: "-1" is not a time`,
		"NaN":            `line 1: "NaN" is not a time`,
		"1e9":            `line 1: "1e9" is not a time`,
		"\n2\n1.5\n":     "line 3: 1.5 is before 2, the arrival above",
		"1;2":            `line 1: "1;2" is not a time`,
		"time_s\n1\n":    `line 1: "time_s" is not a time`,
		"1\n0x1p-2000\n": `before 1`,
	} {
		if _, err := ReadArrivals(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadArrivals(%q) = %v, want an error with %q", text, err, want)
		}
	}
}

// FuzzReadArrivals checks that whatever is accepted is in order and bounded.
func FuzzReadArrivals(f *testing.F) {
	for _, text := range []string{"0\n1\n1.5", "# x\n\n3", "1e3", "-0", "1\r\n2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		offsets, err := ReadArrivals(strings.NewReader(text))
		if err == nil && (len(offsets) == 0 || !slices.IsSorted(offsets) || offsets[0] < 0 || offsets[len(offsets)-1] > maxOffset) {
			t.Errorf("accepted %v", offsets)
		}
	})
}
