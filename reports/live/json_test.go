package live

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := NewState(header()), time.Now()
		play(s)
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var b bytes.Buffer
		JSON(ctx, &b, s, func() time.Duration { return time.Since(began) })
		kinds := map[string]int{}
		for line := range bytes.Lines(b.Bytes()) {
			var v struct {
				Type      string `json:"type"`
				Completed int    `json:"completed"`
			}
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			kinds[v.Type]++
			if v.Type == "load" && v.Completed != 100 {
				t.Errorf("%s", line)
			}
		}
		if kinds["load"] != 3 || kinds["change"] != 5 {
			t.Errorf("lines: %v in\n%s", kinds, b.String())
		}
	})
}
