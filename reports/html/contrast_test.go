package html

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A theme is what colours the report has, light or dark.
type theme struct {
	names map[string]string // of the variables of the style sheet
	inks  map[string]string // of classes in pictures, where they are not those of inkFor
}

// colour is that of a variable such as --ink, or of a class in a picture such as
// node.fill.
func (th theme) colour(t *testing.T, name string) string {
	t.Helper()
	if strings.HasPrefix(name, "--") {
		return th.names[name]
	}
	if c := th.inks[name]; c != "" {
		return c
	}
	class, property, _ := strings.Cut(name, ".")
	k := inkFor(class)
	c := map[string]string{"fill": k.fill, "stroke": k.stroke}[property]
	if !strings.HasPrefix(c, "#") {
		t.Fatalf("%s has the colour %q", name, c)
	}
	return c
}

// themes reads the colours from the style sheet.
func themes(t *testing.T) map[string]theme {
	t.Helper()
	text, err := files.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(text), "@media (prefers-color-scheme: dark)")
	dark, _, ended := strings.Cut(rest, "@media print")
	if !ok || !ended {
		t.Fatal("the style sheet has no dark colours")
	}
	all := map[string]theme{}
	for name, part := range map[string]string{"light": light, "dark": dark} {
		th := theme{names: map[string]string{}, inks: map[string]string{}}
		for _, m := range regexp.MustCompile(`(--[a-z-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(part, -1) {
			th.names[m[1]] = m[2]
		}
		for _, rule := range regexp.MustCompile(`((?:svg \.[a-z0-9-]+,? ?)+)\{([^}]*)\}`).FindAllStringSubmatch(part, -1) {
			for _, class := range regexp.MustCompile(`svg \.([a-z0-9-]+)`).FindAllStringSubmatch(rule[1], -1) {
				for _, m := range regexp.MustCompile(`(fill|stroke): (#[0-9a-f]{6})`).FindAllStringSubmatch(rule[2], -1) {
					th.inks[class[1]+"."+m[1]] = m[2]
				}
			}
		}
		all[name] = th
	}
	return all
}

// contrast is the ratio of two colours as WCAG 2.2 defines it, 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	light := func(c string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(c[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			v := float64(n) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += weight * v
		}
		return sum
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast holds the colours of both themes against WCAG 2.2, AA: text has
// 4.5 to 1 against every ground that it stands on, and what must be told apart
// in a picture has 3 to 1.
func TestContrast(t *testing.T) {
	bands := []string{"--page", "phase.fill", "phase-odd.fill", "phase-unscored.fill"}
	pairs := map[string]map[string][]string{
		"text": {
			"--ink": {"--page", "--sunk", "--bad-tint", "--unclear-tint"}, "--muted": {"--page", "--sunk", "--bad-tint", "--unclear-tint"},
			"--good": {"--page", "--good-tint"}, "--unclear": {"--page", "--unclear-tint"}, "--bad": {"--page", "--bad-tint"},
			"label.fill": append(bands, "node.fill", "node-primary.fill", "node-bad.fill"), "strong.fill": bands,
			"good-text.fill": bands, "bad-text.fill": append(bands, "node-bad.fill"), "limit-text.fill": bands,
			"node-text.fill":   {"node.fill", "node-primary.fill"},
			"inside-dark.fill": {"step-1.fill", "step-2.fill", "step-3.fill"}, "inside.fill": {"step-4.fill", "step-5.fill"},
		},
		"graphics": {
			"ok-line.stroke": bands, "bad-line.stroke": bands, "offered.stroke": bands, "p50.stroke": bands, "p99.stroke": bands,
			"limit.stroke": bands, "t0.stroke": bands, "recovered.stroke": bands, "fault.fill": bands,
			"good.fill": append(bands, "track.fill"), "unclear.fill": append(bands, "track.fill"), "bad.fill": append(bands, "track.fill"),
			"meter-limit.stroke": {"track.fill"}, "node-primary.stroke": {"node-primary.fill", "phase.fill"}, "node-bad.stroke": {"node-bad.fill", "phase.fill"},
			"link-bad.stroke": {"phase.fill"}, "heat-5.fill": {"heat-1.fill"}, "step-5.fill": {"step-1.fill"},
		},
	}
	for i := range maxCurves {
		pairs["graphics"][fmt.Sprintf("curve-%d.stroke", i+1)] = []string{"--page"}
	}
	least := map[string]float64{"text": 4.5, "graphics": 3}
	for name, th := range themes(t) {
		for kind, of := range pairs {
			for _, front := range slices.Sorted(maps.Keys(of)) {
				for _, ground := range of[front] {
					a, b := th.colour(t, front), th.colour(t, ground)
					if got := contrast(t, a, b); got < least[kind] {
						t.Errorf("%s: %s %s on %s %s has %.2f, want %.1f", name, front, a, ground, b, got, least[kind])
					}
				}
			}
		}
	}
}

func TestContrastOfKnownColours(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#777777", "#ffffff", 4.48}, {"#ff0000", "#ff0000", 1}} {
		if got := contrast(t, c.a, c.b); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s on %s: %.2f, want %.2f", c.a, c.b, got, c.want)
		}
	}
}
