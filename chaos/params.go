package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// A Measure says how a parameter is written.
type Measure string

// The measures of parameters.
const (
	Duration  Measure = "duration"  // 200ms, above zero
	Percent   Measure = "percent"   // 20%, from above 0 to 100
	Count     Measure = "count"     // a whole number above zero
	Size      Measure = "size"      // 64MiB; KiB, MiB and GiB are known
	Component Measure = "component" // nodes other than the target, as a target is written; or the default
	Text      Measure = "text"
)

// A Param is a parameter of a kind of fault, beside its target and how long it
// lasts.
type Param struct {
	Name    string
	Measure Measure
	Default string // as it would be written; empty: it must be given
	About   string // for people
	Limits  string // what it may be, for people; empty: all that the measure allows
}

// Limits says in words what a parameter of this measure may be, nothing of a text.
func (m Measure) Limits() string {
	switch m {
	case Duration:
		return "above zero, for example " + m.example()
	case Percent:
		return "above 0% and up to 100%"
	case Count:
		return "a whole number above zero"
	case Size:
		return "above zero, in KiB, MiB or GiB"
	case Component:
		return "nodes other than the target, as a target is written"
	case Text:
	}
	return ""
}

func (m Measure) example() string {
	switch m {
	case Duration:
		return "200ms"
	case Percent:
		return "20%"
	case Count:
		return "1"
	case Size:
		return "64MiB"
	case Component, Text:
	}
	return "text"
}

// May says in words what the parameter may be, nothing where its meaning has to.
func (p Param) May() string { return cmp.Or(p.Limits, p.Measure.Limits()) }

// Example is what the parameter may be: what it is without a word about it, if
// it is something then.
func (p Param) Example() string { return cmp.Or(p.Default, p.Measure.example()) }

// A ParamError is what is wrong with one parameter of a fault.
type ParamError struct {
	Name    string
	Unknown bool // the kind has none of that name
	Err     error
}

// Error implements error.
func (e *ParamError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ParamError) Unwrap() error { return e.Err }

// CheckAll reports everything that is wrong with the parameters of a fault, as
// [Kind.Mistakes] lists it. It is pure.
func (k Kind) CheckAll(p Params) error { return errors.Join(k.Mistakes(p)...) }

// Mistakes lists what is wrong with the parameters of a fault: it lasts too
// long; there is no such parameter, or one is missing or cannot be read, as
// [*ParamError]; or, if nothing of that, the kind itself objects. It is pure.
func (k Kind) Mistakes(p Params) []error {
	var errs []error
	if p.For < 0 || p.For > MaxTTL {
		errs = append(errs, fmt.Errorf("%s for %s: a fault lasts %s at most", k.Name, p.For, MaxTTL))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Values)) {
		if !slices.ContainsFunc(k.Params, func(known Param) bool { return known.Name == name }) {
			errs = append(errs, &ParamError{name, true, fmt.Errorf("%s has no parameter %q%s", k.Name, name, k.paramHint())})
		}
	}
	for _, known := range k.Params {
		if err := known.check(p.Values[known.Name]); err != nil {
			errs = append(errs, &ParamError{known.Name, false, fmt.Errorf("%s: %w", k.Name, err)})
		}
	}
	if len(errs) > 0 || k.Check == nil {
		return errs
	}
	if err := k.Check(p); err != nil {
		return []error{err}
	}
	return nil
}

// Misnamed lists, as [*ParamError], the parameters that name components which a
// system of that shape does not have, or none but the target itself. It is pure.
func (k Kind) Misnamed(topology sut.Topology, p Params) []error {
	var errs []error
	for _, known := range k.Params {
		ref := k.Value(p, known.Name)
		if known.Measure != Component || ref == known.Default {
			continue
		}
		if err := other(topology, ref, p.Target); err != nil {
			errs = append(errs, &ParamError{known.Name, false, fmt.Errorf("%s: the parameter %s=%s: %w", k.Name, known.Name, ref, err)})
		}
	}
	return errs
}

// IsComponent reports whether a parameter names a component.
func (k Kind) IsComponent(param string) bool {
	return slices.ContainsFunc(k.Params, func(p Param) bool { return p.Name == param && p.Measure == Component })
}

// other reports that a reference names no nodes, or for one of the targets none
// but itself.
func other(topology sut.Topology, ref string, target sut.Selection) error {
	sel, err := topology.Select(ref)
	switch {
	case err != nil:
		return err
	case len(sel.Nodes) == 0:
		return errors.New("want nodes, and this is a link")
	case len(sel.Nodes) == 1 && slices.Contains(target.Nodes, sel.Nodes[0]):
		return fmt.Errorf("for %s that is nobody else", sel.Nodes[0].Name)
	}
	return nil
}

// paramHint says which parameters there are.
func (k Kind) paramHint() string {
	if len(k.Params) == 0 {
		return ": it has none"
	}
	known := make([]string, len(k.Params))
	for i, p := range k.Params {
		known[i] = p.Name
	}
	return ": it has " + strings.Join(known, ", ")
}

// check reports what is wrong with a value.
func (p Param) check(value string) error {
	if value == "" {
		value = p.Default
	}
	if value == "" {
		return fmt.Errorf("the parameter %s is missing: %s", p.Name, p.About)
	}
	var err error
	switch p.Measure {
	case Duration:
		_, err = parseDuration(value)
	case Percent:
		_, err = parsePercent(value)
	case Count:
		_, err = parseCount(value)
	case Size:
		_, err = parseSize(value)
	case Text, Component:
	}
	if err != nil {
		return fmt.Errorf("the parameter %s=%s: %w", p.Name, value, err)
	}
	return nil
}

// Value returns a parameter as text, or what it is if it is not given.
func (k Kind) Value(p Params, name string) string {
	if v := p.Values[name]; v != "" {
		return v
	}
	for _, known := range k.Params {
		if known.Name == name {
			return known.Default
		}
	}
	return ""
}

// Duration returns a parameter that [Kind.CheckAll] has accepted.
func (k Kind) Duration(p Params, name string) time.Duration {
	d, _ := parseDuration(k.Value(p, name)) // was checked
	return d
}

// Percent returns a parameter that [Kind.CheckAll] has accepted, in percent.
func (k Kind) Percent(p Params, name string) float64 {
	f, _ := parsePercent(k.Value(p, name)) // was checked
	return f
}

// Count returns a parameter that [Kind.CheckAll] has accepted.
func (k Kind) Count(p Params, name string) int {
	n, _ := parseCount(k.Value(p, name)) // was checked
	return n
}

// Size returns a parameter that [Kind.CheckAll] has accepted, in bytes.
func (k Kind) Size(p Params, name string) int64 {
	n, _ := parseSize(k.Value(p, name)) // was checked
	return n
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("want a duration above zero, for example 200ms")
	}
	return d, nil
}

func parsePercent(s string) (float64, error) {
	number, ok := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(f > 0 && f <= 100) {
		return 0, errors.New("want a share above 0% and up to 100%, for example 20%")
	}
	return f, nil
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return 0, errors.New("want a whole number above zero")
	}
	return n, nil
}

func parseSize(s string) (int64, error) {
	for unit, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseInt(number, 10, 32)
			if err == nil && n > 0 {
				return n * factor, nil
			}
		}
	}
	return 0, errors.New("want a size with its unit, for example 64MiB")
}
