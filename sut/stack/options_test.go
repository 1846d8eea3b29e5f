package stack

import (
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given map[string]string
		want  settings
	}{
		{"defaults", nil, settings{sync: true, ttl: 10, data: dataSets()[0], traceRatio: 0.1}},
		{"async", map[string]string{"replication": "async"}, settings{ttl: 10, data: dataSets()[0], traceRatio: 0.1}},
		{"ttl", map[string]string{"ttl": "20"}, settings{sync: true, ttl: 20, data: dataSets()[0], traceRatio: 0.1}},
		{"fsync", map[string]string{"fsync": "off"}, settings{sync: true, ttl: 10, unsynced: true, data: dataSets()[0], traceRatio: 0.1}},
		{"data", map[string]string{"data": "medium"}, settings{sync: true, ttl: 10, data: dataSets()[1], traceRatio: 0.1}},
		{
			"traces",
			map[string]string{"traces": "http://172.17.0.1:4318", "trace-ratio": "0.05"},
			settings{sync: true, ttl: 10, data: dataSets()[0], traces: "http://172.17.0.1:4318", traceRatio: 0.05},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseOptions(LedgerName, tt.given)
			if err != nil || got != tt.want {
				t.Errorf("parseOptions(%v) = %+v, %v; want %+v", tt.given, got, err, tt.want)
			}
		})
	}
}

func TestParseOptionsErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stack string
		given map[string]string
		want  []string // in the error
	}{
		{"unknown option", LedgerName, map[string]string{"tll": "9"}, []string{`"tll"`, "replication, ttl"}},
		{"unknown value", LedgerName, map[string]string{"replication": "maybe"}, []string{`"maybe"`, "sync or async"}},
		{"unknown fsync", LedgerName, map[string]string{"fsync": "maybe"}, []string{"fsync", "on or off"}},
		{"not a number", LedgerName, map[string]string{"ttl": "10s"}, []string{`"10s"`, "8 to 300"}},
		{"too small", LedgerName, map[string]string{"ttl": "7"}, []string{`"7"`}},
		{"unknown data set", LedgerName, map[string]string{"data": "huge"}, []string{`"huge"`, "small, medium or large"}},
		{"no scheme", LedgerName, map[string]string{"traces": "localhost:4318"}, []string{`"localhost:4318"`, "http://"}},
		{"ratio above 1", LedgerName, map[string]string{"trace-ratio": "1.1"}, []string{`"1.1"`, "0 to 1"}},
		{"all at once", LedgerName, map[string]string{"x": "", "ttl": "", "replication": ""}, []string{`"x"`, "ttl", "replication"}},
		{"unknown stack", "web", nil, []string{`"web"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := ValidateOptions(tt.stack, tt.given)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not contain %q", err, w)
				}
			}
		})
	}
}

// TestOptionDefaults keeps the list that is shown and the parser together.
func TestOptionDefaults(t *testing.T) {
	options, err := Options(LedgerName)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, o := range options {
		defaults[o.Name] = o.Default
	}
	given, err := parseOptions(LedgerName, defaults)
	if err != nil {
		t.Fatal(err)
	}
	if none, err := parseOptions(LedgerName, nil); err != nil || none != given {
		t.Errorf("no options give %+v, %v; the defaults by name %+v", none, err, given)
	}
}
