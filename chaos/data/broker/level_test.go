package broker

import (
	"strings"
	"testing"
)

func TestParseLevel(t *testing.T) {
	for text, want := range map[string]Level{
		"ledger.statements unacked>0": {"ledger.statements", "unacked", 0},
		"q ready>12":                  {"q", "ready", 12},
		"q:1/a_b-c messages>7":        {"q:1/a_b-c", "messages", 7},
	} {
		got, err := ParseLevel(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "q", "q unacked", "q unacked>", "q unacked>-1", "q unacked>0 ", "q unacked>=1", "q lost>0", `q">>), halt(). unacked>0`,
		"q unacked>99999999999", strings.Repeat("q", 121) + " ready>0",
	} {
		if got, err := ParseLevel(text); err == nil || !strings.Contains(err.Error(), "for example ledger.statements unacked>0") {
			t.Errorf("%q: %+v, %v, want what to write instead", text, got, err)
		}
	}
}

func FuzzParseLevel(f *testing.F) {
	f.Add("ledger.statements unacked>0")
	f.Add("q ready>012")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLevel(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(l.Queue, "\"'$`\\<> ") {
			t.Errorf("%q: the queue %q could leave its quotes", text, l.Queue)
		}
		if again, err := ParseLevel(l.String()); err != nil || again != l {
			t.Errorf("%q: read again %+v, %v, want %+v", text, again, err, l)
		}
	})
}
