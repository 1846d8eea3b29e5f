package ledgerload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

const someID = "01020304-0506-8001-8000-000000000007"

func TestReadRestored(t *testing.T) {
	for row, count := range map[string]int64{
		someID + "|250|2|1|1": 1,
		someID + "|250|1|1|0": 0, // half of it
		someID + "|250|4|2|2": 2,
	} {
		got, err := ReadRestored(row)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(history.Event{ID: someID, Amount: 250, Count: count}, got); diff != "" {
			t.Errorf("row %q (-want +got):\n%s", row, diff)
		}
	}
	for _, row := range []string{"", "WARNING: there is no transaction in progress", someID + "|250|2|1", someID + "|x|2|1|1", "7|250|2|1|1", someID + "|250|2|1|1|1"} {
		if got, err := ReadRestored(row); err == nil {
			t.Errorf("row %q is read as %+v", row, got)
		}
	}
}

func TestRestoredQueryIsOfOneDrill(t *testing.T) {
	var w Workload
	for drill := 1; drill <= 2; drill++ {
		lo, hi := w.IDRange(drill)
		if q := w.RestoredQuery(drill); !strings.Contains(q, "BETWEEN '"+lo+"' AND '"+hi+"'") {
			t.Errorf("drill %d: %s", drill, q)
		}
	}
}

func FuzzReadRestored(f *testing.F) {
	f.Add(someID + "|250|2|1|1")
	f.Add("||||")
	f.Fuzz(func(t *testing.T, row string) {
		if e, err := ReadRestored(row); err == nil && (e.ID == "" || !strings.HasPrefix(row, e.ID)) {
			t.Errorf("row %q is read as %+v", row, e)
		}
	})
}
