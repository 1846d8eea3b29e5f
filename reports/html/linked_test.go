package html_test

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
)

// TestLinkedComparisonSaysTheSame says that only the place of the style sheet
// is another one.
func TestLinkedComparisonSaysTheSame(t *testing.T) {
	c := reportstest.Slower()
	linked := rendered(t, func(w io.Writer) error { return html.WriteComparisonLinked(w, c) })
	whole := content(rendered(t, func(w io.Writer) error { return html.WriteComparison(w, c) }))
	if assets.MatchString(linked) {
		t.Error("it has a style sheet or a script inside")
	}
	want := strings.NewReplacer(
		"<style></style>", `<link rel="stylesheet" href="`+html.StyleFile+`">`,
		"style-src 'unsafe-inline'", "style-src 'self'",
	).Replace(whole)
	if diff := cmp.Diff(want, linked); diff != "" {
		t.Errorf("(-the whole page +the linked one):\n%s", diff)
	}
}
