package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The metrics of events. All others are those of phases.
const (
	metricRTO        = "rto"
	metricRPO        = "rpo"
	metricLost       = "lost_writes"
	metricDuplicates = "duplicates"
	metricTook       = "took"
)

// The metrics of phases that are not quantiles.
const (
	metricErrors = "errors"
	metricRate   = "rate"
)

// The units of values.
const (
	unitMS      = "ms"
	unitPercent = "percent"
	unitCount   = "count"
)

// ofEvent reports whether a metric is one of an event of the timeline.
func ofEvent(metric string) bool {
	return slices.Contains([]string{metricRTO, metricRPO, metricLost, metricDuplicates, metricTook}, metric)
}

// quantileOf returns the quantile in percent that a metric stands for; max is
// 100.
func quantileOf(metric string) (percent float64, ok bool) {
	switch metric {
	case "p50":
		return 50, true
	case "p90":
		return 90, true
	case "p95":
		return 95, true
	case "p99":
		return 99, true
	case "p99.9":
		return 99.9, true
	case "max":
		return 100, true
	}
	return 0, false
}

// unitOf returns the unit of a metric, empty if there is no such metric.
func unitOf(metric string) string {
	switch metric {
	case metricErrors, metricRate:
		return unitPercent
	case metricLost, metricDuplicates:
		return unitCount
	case metricRTO, metricRPO, metricTook:
		return unitMS
	}
	if _, ok := quantileOf(metric); ok {
		return unitMS
	}
	return ""
}

// valid reports everything in a spec that cannot be judged.
func (s *Spec) valid() error {
	errs := []error{s.validQueries()}
	for _, name := range s.Verify {
		if !slices.Contains(Names(), name) {
			errs = append(errs, fmt.Errorf("no check %q, want one of %s", name, strings.Join(Names(), ", ")))
		}
	}
	for _, o := range s.Objectives {
		if err := s.validObjective(o); err != nil {
			errs = append(errs, fmt.Errorf("objective %s %s: %w", o.Subject, o.Metric, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Spec) validObjective(o Objective) error {
	if o.Op != "<=" && o.Op != ">=" {
		return fmt.Errorf("no comparison %q, want <= or >=", o.Op)
	}
	if unitOf(o.Metric) == "" {
		return errors.New("no such metric")
	}
	if ofEvent(o.Metric) {
		if _, ok := s.entry(o.Subject); !ok {
			return errors.New("no event of that name in the timeline")
		}
		return nil
	}
	if _, _, ok := s.window(o.Subject); !ok {
		return errors.New("no phase of that name")
	}
	return nil
}

// entry returns the entry of the timeline of that name.
func (s *Spec) entry(name string) (Entry, bool) {
	i := slices.IndexFunc(s.Events, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return s.Events[i], true
}

// window resolves a subject that is PHASE or PHASE/OP. An empty op stands for
// all of them.
func (s *Spec) window(subject string) (phase Phase, op string, ok bool) {
	name, op, _ := strings.Cut(subject, "/")
	i := slices.IndexFunc(s.Phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		return Phase{}, "", false
	}
	return s.Phases[i], op, true
}

// orDefault fills in what is not set.
func (r Recovered) orDefault() Recovered {
	def := DefaultRecovered()
	if r.Window <= 0 {
		r.Window = def.Window
	}
	if r.MinOps <= 0 {
		r.MinOps = def.MinOps
	}
	if r.Good <= 0 {
		r.Good = def.Good
	}
	if r.Rate <= 0 {
		r.Rate = def.Rate
	}
	if r.Within <= 0 {
		r.Within = def.Within
	}
	return r
}
