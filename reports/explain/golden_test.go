package explain

import (
	"flag"
	"testing"

	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden explains all that is not a pass, and one recovery time.
func TestGolden(t *testing.T) {
	for _, example := range reportstest.Examples() {
		reportstest.Golden(t, *update, example.Name+".txt", explain(t, example.Result, nil, ""))
	}
	reportstest.Golden(t, *update, "rto.txt", explain(t, reportstest.FiveDrills(), nil, "primary-lost rto"))
	reportstest.Golden(t, *update, "logs.txt", explain(t, result(), logs(), ""))
}
