package obs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/proofload/proofload/sut/ledger/obs"
)

func TestWithCorrelation(t *testing.T) {
	tests := []struct {
		name string
		id   string
		kept bool
	}{
		{"uuid", "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01", true},
		{"dotted", "run_7.op:42", true},
		{"longest", strings.Repeat("a", 128), true},
		{"empty", "", false},
		{"too long", strings.Repeat("a", 129), false},
		{"newline", "a\nb", false},
		{"not ASCII", "é", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := obs.Correlation(obs.WithCorrelation(t.Context(), tt.id))
			if (got == tt.id) != tt.kept || got == "" {
				t.Errorf("Correlation(WithCorrelation(%q)) = %q; want kept = %t", tt.id, got, tt.kept)
			}
		})
	}
}

func TestLoggerAddsCorrelation(t *testing.T) {
	var out bytes.Buffer
	log := obs.NewLogger(&out, slog.LevelInfo, "api-1").With(slog.String("part", "x"))
	log.InfoContext(obs.WithCorrelation(t.Context(), "abc"), "hello")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("log line %q: %v", out.String(), err)
	}
	for key, want := range map[string]string{"correlation_id": "abc", "instance": "api-1", "part": "x", "msg": "hello"} {
		if line[key] != want {
			t.Errorf("log line has %s = %v; want %q", key, line[key], want)
		}
	}
}
