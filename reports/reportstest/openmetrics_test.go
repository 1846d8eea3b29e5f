package reportstest

import (
	"strings"
	"testing"
)

// TestOpenMetrics holds the parser to texts that the specification allows and
// forbids.
func TestOpenMetrics(t *testing.T) {
	const good = "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds Said \\\"so\\\".\n" +
		"a_seconds{x=\"1,2\",y=\"}\\n\"} 1.5e-3\na_seconds{x=\"\"} -1\n# TYPE b counter\nb_total 3\n# EOF\n"
	got, err := OpenMetrics(good)
	if err != nil || got["a_seconds"] != 2 || got["b"] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"no end":            "# TYPE a gauge\na 1\n",
		"more behind it":    good + "a 1\n",
		"end within a line": "a 1# EOF\n",
		"empty line":        "# TYPE a gauge\n\na 1\n# EOF\n",
		"comment":           "# about a\n# EOF\n",
		"no family":         "a 1\n# EOF\n",
		"unit":              "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n",
		"type":              "# TYPE a number\na 1\n# EOF\n",
		"type twice":        "# TYPE a gauge\n# TYPE a gauge\na 1\n# EOF\n",
		"type too late":     "# HELP a A.\na 1\n# TYPE a gauge\n# EOF\n",
		"two pieces":        "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# HELP a A.\n# EOF\n",
		"of another":        "# TYPE a gauge\nb 1\n# EOF\n",
		"counter":           "# TYPE a counter\na 1\n# EOF\n",
		"falling counter":   "# TYPE a counter\na_total -1\n# EOF\n",
		"no number":         "# TYPE a gauge\na 1s\n# EOF\n",
		"hexadecimal":       "# TYPE a gauge\na 0x1p2\n# EOF\n",
		"twice":             "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n# EOF\n",
		"label twice":       "# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n",
		"label's name":      "# TYPE a gauge\na{x-y=\"1\"} 1\n# EOF\n",
		"escape":            "# TYPE a gauge\na{x=\"\\t\"} 1\n# EOF\n",
		"quote":             "# TYPE a gauge\na{x=\"1} 1\n# EOF\n",
		"comma":             "# TYPE a gauge\na{x=\"1\",} 1\n# EOF\n",
		"bytes":             "# HELP a \xff\n# EOF\n",
	} {
		if _, err := OpenMetrics(bad); err == nil || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%s is taken: %q", name, bad)
		}
	}
}
