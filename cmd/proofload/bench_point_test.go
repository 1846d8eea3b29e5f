//go:build integration

package main

import (
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/reports"
)

// BenchmarkPoint is what make bench-point runs: replication stands still for a known
// time before the primary is lost, and the recovery points that are reported are held
// against it. POINT_RUNS says how often each.
func BenchmarkPoint(b *testing.B) {
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	b.Cleanup(stop)
	runs := gradeCount(b, "POINT_RUNS", 3)
	g := newGrader(ctx, b)
	for _, c := range []struct {
		scenario      string
		stall, within time.Duration
	}{
		{"recovery-point-1500ms", 1500 * time.Millisecond, 200 * time.Millisecond},
		{"recovery-point-5s", 5 * time.Second, 300 * time.Millisecond},
	} {
		b.Run(c.scenario, func(b *testing.B) {
			for range runs {
				if err := g.renew(ctx, map[string]string{"replication": "async"}); err != nil {
					b.Fatal(err)
				}
				g.program(ctx, b, g.bin, "run", "controls/"+c.scenario, "--stack", "warm", "--progress", "quiet")
				r, err := readResult(reports.Directory{Path: filepath.Join(g.dir, runsRoot, reports.Latest)})
				if err != nil {
					b.Fatal(err)
				}
				for _, d := range r.Recoveries {
					off := d.Point - float64(c.stall.Milliseconds())
					say("%s: recovery point %.0f ms, %+.0f ms from the stall; %d lost, recovered in %.1f s", c.scenario, d.Point, off, d.Lost, d.Steady/1000)
					if math.Abs(off) > float64(c.within.Milliseconds()) {
						b.Errorf("the recovery point is %.0f ms; want %s within %s", d.Point, c.stall, c.within)
					}
				}
				if len(r.Recoveries) != 1 {
					b.Errorf("%d recovery points; want one: %s", len(r.Recoveries), r.Sentence)
				}
			}
		})
	}
}
