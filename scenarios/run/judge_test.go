package run

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/reportstest"
)

// TestJudgeSaysWhatMadeTheNumbers has a result hold the versions, the machine, the
// images and the plan of its run, and be judged where no plan was kept.
func TestJudgeSaysWhatMadeTheNumbers(t *testing.T) {
	dir := reports.Directory{Path: t.TempDir()}
	if err := os.CopyFS(dir.Path, reportstest.Run("gate-passed")); err != nil {
		t.Fatal(err)
	}
	m, err := dir.ReadManifest()
	if err != nil {
		t.Fatal(err)
	}
	m.Images = map[string]string{"pg-1": "sha256:aa"}
	r, err := Judge(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{"proofload": m.Version, "go": m.Go}
	if diff := cmp.Diff([]map[string]string{versions, m.Host, m.Images}, []map[string]string{r.Versions, r.Host, r.Images}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Version == "" || m.Go == "" || m.Host["kernel"] == "" {
		t.Errorf("the record says %q, %q and %q", m.Version, m.Go, m.Host)
	}
	if !strings.Contains(r.Plan, "4,063 operations") {
		t.Errorf("the plan is %q", r.Plan)
	}
	if err = os.Remove(dir.File(reports.FilePlan)); err != nil {
		t.Fatal(err)
	}
	if r, err = Judge(dir, m); err != nil || r.Plan != "" {
		t.Errorf("without a plan: %q, %v", r.Plan, err)
	}
}
