//go:build integration

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// When memory counts as flat: the last window must not have more than the first
// by both the factor and the bytes.
const (
	maxGrowth      = 1.15
	maxGrowthBytes = 8 << 20
)

// What may be there after the load beyond the baseline: a health check that is
// under way, and the look itself.
const (
	spareGoroutines  = 5
	spareConnections = 1
)

const (
	soakWindow     = 5 * time.Minute  // whose means are compared; shorter in a short soak
	soakWarmUp     = 2 * time.Minute  // of load before the first window, too
	sampleEvery    = 10 * time.Second // sooner in a short soak
	baselineFor    = 15 * time.Second
	backWithin     = 5 * time.Minute // pools keep unused connections for a minute
	lookAgainAfter = 2 * time.Second
)

// A soak samples the instances of a stack under load.
type soak struct {
	rig     *benchRig
	load    stretch
	every   time.Duration
	window  time.Duration
	Figures soakFigures
}

// soakFigures are the raw figures of a soak.
type soakFigures struct {
	Machine  machine                   `json:"machine"`
	Data     string                    `json:"data_set"`
	Load     loadResult                `json:"load"`
	Baseline map[string]sample         `json:"baseline"` // by instance, the most of each before the load
	Samples  map[string][]sample       `json:"samples"`  // under load, by instance
	After    map[string]sample         `json:"after"`    // when they were back, or the wait was over
	Back     map[string]*time.Duration `json:"back_after_ns"`
}

// BenchmarkSoak loads the ledger for long and fails if the memory of an
// instance is not flat, or if goroutines or connections are left behind.
func BenchmarkSoak(b *testing.B) {
	s := &soak{
		load:    stretch{rate: variable(b, "SOAK_RATE", 100, parseRate), measure: variable(b, "SOAK_FOR", 30*time.Minute, parseDuration)},
		Figures: soakFigures{Machine: thisMachine(), Data: variable(b, "SOAK_DATA", "medium", parseText)},
	}
	s.load.warmUp = min(soakWarmUp, s.load.measure/3)
	s.window = min(soakWindow, s.load.measure/3)
	s.every = min(sampleEvery, s.window/5)
	var ctx context.Context
	ctx, s.rig = startRig(b, "soak", map[string]string{"data": s.Figures.Data})
	err := s.run(ctx)
	save(b, "soak", &s.Figures) // those of one that was cut short, too
	if err != nil {
		b.Fatal(err)
	}
	s.print(os.Stdout)
	for _, failure := range s.failures() {
		b.Error(failure)
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

// run takes the baseline, offers the load and waits for what it leaves behind
// to go.
func (s *soak) run(ctx context.Context) (err error) {
	if s.Figures.Baseline, err = s.baseline(ctx); err != nil {
		return fmt.Errorf("sample before the load: %w", err)
	}
	say("%g/s for %s after a warm-up of %s; a sample every %s", s.load.rate, s.load.measure, s.load.warmUp, s.every)
	loaded, stop := context.WithCancel(ctx)
	var sampling sync.WaitGroup
	var sampleErr error
	sampling.Go(func() { s.Figures.Samples, sampleErr = s.sampleUnderLoad(loaded) })
	s.Figures.Load, err = s.rig.drive(ctx, s.load, nil)
	stop()
	sampling.Wait()
	if err != nil {
		return err
	}
	if sampleErr != nil {
		return fmt.Errorf("sample under load: %w", sampleErr)
	}
	say("the load has ended; waiting for goroutines and connections to go, %s at most", backWithin)
	return s.awaitBaseline(ctx)
}

// baseline returns the most of each that an instance without load has.
func (s *soak) baseline(ctx context.Context) (map[string]sample, error) {
	most := map[string]sample{}
	tick := time.NewTicker(lookAgainAfter)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < baselineFor; {
		now, err := s.sampleAll(ctx)
		if err != nil {
			return nil, err
		}
		for instance, of := range now {
			most[instance] = most[instance].most(of)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return most, nil
}

// sampleUnderLoad samples until ctx is done, and from the end of the warm-up
// on.
func (s *soak) sampleUnderLoad(ctx context.Context) (map[string][]sample, error) {
	samples := map[string][]sample{}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return samples, nil
		case <-tick.C:
		}
		at := time.Since(began) - s.load.warmUp
		if at < 0 {
			continue
		}
		now, err := s.sampleAll(ctx)
		if err != nil && ctx.Err() == nil {
			return samples, err
		}
		for instance, of := range now {
			of.At = at
			samples[instance] = append(samples[instance], of)
		}
	}
}

// sampleAll takes one sample of each instance.
func (s *soak) sampleAll(ctx context.Context) (map[string]sample, error) {
	all := map[string]sample{}
	for _, instance := range s.rig.instances() {
		of, err := takeSample(ctx, s.rig.st, instance)
		if err != nil {
			return nil, err
		}
		all[instance] = of
	}
	return all, nil
}

// awaitBaseline waits until every instance is back, for a bounded time.
func (s *soak) awaitBaseline(ctx context.Context) (err error) {
	s.Figures.Back = map[string]*time.Duration{}
	tick := time.NewTicker(lookAgainAfter)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < backWithin && len(s.Figures.Back) < len(s.rig.instances()); {
		if s.Figures.After, err = s.sampleAll(ctx); err != nil {
			return fmt.Errorf("sample after the load: %w", err)
		}
		for instance, of := range s.Figures.After {
			if took := time.Since(began); s.Figures.Back[instance] == nil && of.isBack(s.Figures.Baseline[instance]) {
				s.Figures.Back[instance] = &took
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// failures says in what the soak was not passed.
func (s *soak) failures() []string {
	var list []string
	if load := &s.Figures.Load; load.All.Count == 0 || load.All.Errors > 0 || load.Achieved < minAchieved {
		list = append(list, fmt.Sprintf("the load: %d of %d operations failed, %.2f %% of the arrivals were sent in time",
			load.All.Errors, load.All.Count, load.Achieved))
	}
	for _, instance := range s.rig.instances() {
		first, last := s.windows(instance)
		if len(first) == 0 || average(first, measures()[0]) == 0 {
			list = append(list, instance+": no samples")
		}
		for _, m := range measures() {
			if m.flat && !isFlat(average(first, m), average(last, m)) {
				list = append(list, fmt.Sprintf("%s: %s grew from %.1f to %.1f MiB", instance, m.name,
					average(first, m)/m.unit, average(last, m)/m.unit))
			}
		}
		if s.Figures.Back[instance] == nil {
			list = append(list, fmt.Sprintf("%s: goroutines or connections did not return within %s", instance, backWithin))
		}
	}
	return list
}

// windows returns the samples of the first and of the last window.
func (s *soak) windows(instance string) (first, last []sample) {
	all := s.Figures.Samples[instance]
	if len(all) == 0 {
		return nil, nil
	}
	begin, end := all[0].At, all[len(all)-1].At
	for _, of := range all {
		if of.At < begin+s.window {
			first = append(first, of)
		}
		if of.At > end-s.window {
			last = append(last, of)
		}
	}
	return first, last
}

// isFlat reports whether bytes that were few in the beginning still are.
func isFlat(first, last float64) bool {
	return last <= first*maxGrowth || last-first <= maxGrowthBytes
}

func (s *soak) print(w io.Writer) {
	load := &s.Figures.Load
	fmt.Fprintf(w, "\n%g/s for %g s: p50 %.1f ms, p99 %.1f ms, errors %d%s, %.2f %% of the arrivals sent in time\n",
		load.Rate, load.Seconds, load.All.P50, load.All.P99, load.All.Errors, classes(load.Errors), load.Achieved)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "instance\t\tbefore\tfirst %s\tlast %s\tchange\tslope per hour\tafter\t\n", s.window, s.window)
	for _, instance := range s.rig.instances() {
		first, last := s.windows(instance)
		for _, m := range measures() {
			a, z := average(first, m)/m.unit, average(last, m)/m.unit
			fmt.Fprintf(t, "%s\t%s\t%.1f\t%.1f\t%.1f\t%+.1f %%\t%+.2f\t%.1f\t\n", instance, m.name,
				m.of(s.Figures.Baseline[instance])/m.unit, a, z, 100*(z-a)/max(a, 1e-9),
				slope(s.Figures.Samples[instance], m)/m.unit, m.of(s.Figures.After[instance])/m.unit)
		}
	}
	_ = t.Flush() // w takes all
	for _, instance := range s.rig.instances() {
		if took := s.Figures.Back[instance]; took != nil {
			fmt.Fprintf(w, "%s: goroutines and connections are back %s after the load\n", instance, took.Round(time.Second))
		}
	}
	failures := s.failures()
	for _, failure := range failures {
		fmt.Fprintln(w, "NOT PASSED: "+failure)
	}
	if len(failures) == 0 {
		fmt.Fprintln(w, "memory is flat, and nothing is left behind")
	}
}

// average returns the mean of a measure.
func average(samples []sample, m measure) float64 {
	sum := 0.0
	for _, of := range samples {
		sum += m.of(of)
	}
	return sum / float64(max(1, len(samples)))
}

// slope returns how much a measure grows in an hour, by least squares.
func slope(samples []sample, m measure) float64 {
	var n, sumX, sumY, sumXX, sumXY float64
	for _, of := range samples {
		x, y := of.At.Hours(), m.of(of)
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	if d := n*sumXX - sumX*sumX; d > 0 {
		return (n*sumXY - sumX*sumY) / d
	}
	return 0
}
