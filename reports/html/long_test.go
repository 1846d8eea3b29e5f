package html_test

import (
	"bytes"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/html"
	jsonreport "github.com/proofload/proofload/reports/json"
	"github.com/proofload/proofload/reports/reportstest"
)

// long is the result of a run of so many seconds at 1,000 operations per
// second, with as many columns of heat as a judgement makes.
func long(seconds int) *reports.Result {
	r := reportstest.Pass()
	r.Series, r.Heat = nil, nil
	h := check.Heat{Drill: 1, Step: float64(seconds/240 + 1), Bounds: []float64{2.2, 3.3, 4.7, 6.8, 10, 15, 22, 33, 47, 68, 100, 150, 220}}
	for i := range seconds {
		r.Series = append(r.Series, check.Second{
			At: float64(i), Drill: 1, Phase: "steady", Offered: 1000, OK: 990 + i%11, Errors: 10 - i%11, P50: 8 + float64(i%7)/3, P99: 90 + float64(i%53),
		})
	}
	for i := range seconds / (seconds/240 + 1) {
		column := make([]int, len(h.Bounds))
		for row := range column {
			column[row] = (i*31 + row*row*17) % 400
		}
		h.Counts = append(h.Counts, column)
	}
	r.Heat = []check.Heat{h}
	return r
}

// BenchmarkHalfHour renders the report of half an hour at 1,000 operations per
// second from its result.json, as the report command does.
func BenchmarkHalfHour(b *testing.B) {
	var file bytes.Buffer
	if err := jsonreport.WriteResult(&file, long(1800)); err != nil {
		b.Fatal(err)
	}
	size := 0
	for b.Loop() {
		r, err := jsonreport.ReadResult(bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		var page bytes.Buffer
		if err := html.Write(&page, r); err != nil {
			b.Fatal(err)
		}
		size = page.Len()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/report")
	b.ReportMetric(float64(size)/1000, "kB")
}
