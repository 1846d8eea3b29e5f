package format

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// The verdicts of a run that did not end by itself; the others are outcomes.
const (
	VerdictError       = "error"
	VerdictStopped     = "stopped"
	VerdictInterrupted = "interrupted"
)

// Judged reports whether the run came to a verdict about the system.
func Judged(r *reports.Result) bool {
	switch check.Outcome(r.Verdict) {
	case check.Pass, check.Fail, check.Inconclusive:
		return true
	}
	return false
}

// NoLoad says that a run had none, which its phases may hide; it is empty of
// others, and of runs without a verdict, which say why themselves.
func NoLoad(r *reports.Result) string {
	if !Judged(r) || r.Generator.Offered > 0 || r.Generator.Sent > 0 {
		return ""
	}
	return "No load was offered: not one operation was planned, so nothing can be said about how clients were served."
}

// OutcomeWord says how one objective or check came out: "ok", "MISSED" or
// "UNCLEAR".
func OutcomeWord(o check.Outcome) string {
	switch o {
	case check.Pass:
		return "ok"
	case check.Fail:
		return "MISSED"
	default:
		return "UNCLEAR"
	}
}

// A Finding is one thing that keeps a run from passing.
type Finding struct {
	Title   string // what it is about, for example "primary-lost rto"
	Text    string // one sentence with the numbers
	Why     string // more about it, if there is more to say
	Example string // one case of it, if there are any
	Cause   string // what the evidence says of its cause, if it says anything
	Outcome check.Outcome
	At      check.Place // in the scenario file, zero if it has no place there
	Loose   bool        // belongs to no objective and no check
}

// Findings lists what keeps a run from passing: why there is no verdict, then
// missed and unclear objectives and checks in their order, then reasons that
// belong to none of them.
func Findings(r *reports.Result) []Finding {
	var fs []Finding
	if r.Problem != "" {
		outcome := check.Fail
		if r.Verdict == string(check.Inconclusive) {
			outcome = check.Inconclusive
		}
		fs = append(fs, Finding{Title: strings.TrimSpace(r.Scenario.Name + " " + r.Verdict), Text: r.Problem, Outcome: outcome})
	}
	for _, o := range r.Objectives {
		if o.Outcome != check.Pass {
			fs = append(fs, Finding{
				Title: o.Subject + " " + o.Metric, Text: Sentence(o), Why: why(o),
				Outcome: o.Outcome, At: o.At,
			})
		}
	}
	for _, v := range r.Checks {
		if v.Outcome != check.Pass {
			f := Finding{Title: v.Check, Text: v.Check + ": " + orElse(v.Reason, OutcomeWord(v.Outcome)), Outcome: v.Outcome}
			if len(v.Examples) > 0 {
				f.Example = v.Examples[0]
			}
			if len(v.Causes) > 0 {
				f.Cause = v.Causes[0]
			}
			fs = append(fs, f)
		}
	}
	for _, reason := range r.Reasons {
		if !told(r, fs, reason) {
			fs = append(fs, Finding{Title: r.Scenario.Name, Text: reason, Outcome: check.Outcome(r.Verdict), Loose: true})
		}
	}
	return fs
}

// LooseReasons lists the reasons that belong to no objective and no check.
func LooseReasons(r *reports.Result) []string {
	var reasons []string
	for _, f := range Findings(r) {
		if f.Loose {
			reasons = append(reasons, f.Text)
		}
	}
	return reasons
}

// told reports whether a reason is already among the findings, or is the
// sentence of the verdict itself, or what is said of the generator.
func told(r *reports.Result, fs []Finding, reason string) bool {
	g := r.Generator
	if reason == r.Sentence || g.Fell && g.Reason != "" && strings.Contains(reason, g.Reason) {
		return true
	}
	return slices.ContainsFunc(fs, func(f Finding) bool {
		return strings.Contains(f.Text, reason) || strings.Contains(reason, f.Text) ||
			f.Why != "" && strings.Contains(reason, f.Why)
	})
}

// why is the reason of an objective, unless its sentence says it all.
func why(o check.ObjectiveResult) string {
	if o.Outcome != check.Fail || strings.Contains(Sentence(o), o.Reason) {
		return ""
	}
	return o.Reason
}

// Sentence says how far an objective was met or missed, for example
// "primary-lost rto 41.2 s is 21.2 s over 20 s".
func Sentence(o check.ObjectiveResult) string {
	name, limit := o.Subject+" "+o.Metric, Limit(o.Unit, o.Limit)
	switch {
	case !Measured(o):
		return fmt.Sprintf("%s is unclear: %s", name, orElse(o.Reason, "nothing was measured"))
	case o.Outcome == check.Inconclusive:
		return fmt.Sprintf("%s %s is unclear: %s", name, Measurement(o), orElse(o.Reason, "the run does not settle it"))
	case o.Outcome == check.Pass:
		return fmt.Sprintf("%s %s is within %s", name, Measurement(o), limit)
	case o.Censored:
		return fmt.Sprintf("%s is more than %s, the end of the observation, and the limit is %s", name, Value(o.Unit, o.Value), limit)
	}
	if o.Limit == 0 {
		return fmt.Sprintf("%s is %s, and the limit is %s", name, Measurement(o), limit)
	}
	side := "over"
	if o.Op == ">=" {
		side = "under"
	}
	return fmt.Sprintf("%s %s is %s %s %s", name, Measurement(o), Value(o.Unit, math.Abs(o.Margin)), side, limit)
}

// Measured reports whether an objective has a value at all.
func Measured(o check.ObjectiveResult) bool {
	return len(o.Samples) > 0 || o.Outcome != check.Inconclusive
}

// Measurement words the measured value of an objective: "41.2 s", "> 60.0 s"
// for a lower bound, "-" if there is none.
func Measurement(o check.ObjectiveResult) string {
	switch {
	case !Measured(o):
		return "-"
	case o.Censored:
		return "> " + Value(o.Unit, o.Value)
	}
	return ValueBeside(o.Unit, o.Value, o.Limit)
}

// Samples words what each drill measured, in the order of the drills, with the
// unit once; empty if there was only one or they are all the same.
func Samples(o check.ObjectiveResult) string {
	if len(slices.Compact(slices.Clone(o.Samples))) < 2 {
		return ""
	}
	scale, unit := 1.0, ""
	switch {
	case o.Unit == Percentage:
		unit = " %"
	case o.Unit == Milliseconds && slices.Max(o.Samples) >= second:
		scale, unit = second, " s"
	case o.Unit == Milliseconds:
		unit = " ms"
	}
	words := make([]string, len(o.Samples))
	for i, s := range o.Samples {
		words[i] = Significant(s/scale, digits)
	}
	return strconv.Itoa(len(words)) + " drills: " + strings.Join(words, "  ") + unit
}

// Place names the place of a finding in the scenario file as file:line:col;
// empty if it has none.
func Place(r *reports.Result, f Finding) string {
	if f.At.Line <= 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", r.Scenario.File, f.At.Line, max(1, f.At.Col))
}

// Drills is the number of drills that a run was to have, or that its result
// speaks of, at least 1.
func Drills(r *reports.Result) int {
	n := max(1, r.Drills)
	for _, s := range r.Series {
		n = max(n, s.Drill)
	}
	for _, rec := range r.Recoveries {
		n = max(n, rec.Drill)
	}
	for _, o := range r.Objectives {
		n = max(n, len(o.Samples))
	}
	return n
}

// DrillCount words the number of drills: "5 drills".
func DrillCount(r *reports.Result) string {
	if n := Drills(r); n > 1 {
		return Count(n) + " drills"
	}
	return "1 drill"
}

// Ready words how long the environment took to be ready once its images were
// there; empty if it is not known.
func Ready(r *reports.Result) string {
	if r.ReadyMS <= 0 {
		return ""
	}
	return Duration(max(0, r.ReadyMS-r.ImagesMS))
}

// Options lists the options that the target was given as NAME=VALUE, sorted.
func Options(r *reports.Result) []string {
	var options []string
	for _, name := range slices.Sorted(maps.Keys(r.Options)) {
		options = append(options, name+"="+r.Options[name])
	}
	return options
}

// Reproduce is the command line that carries out the same run again.
func Reproduce(r *reports.Result) string {
	args := []string{"proofload", "run", quote(strings.TrimPrefix(r.Scenario.File, "library:"))}
	if r.Target != "" {
		args = append(args, "--target", quote(r.Target))
	}
	for _, option := range Options(r) {
		args = append(args, "--option", quote(option))
	}
	if r.Drills > 0 {
		args = append(args, "--repeat", strconv.Itoa(r.Drills))
	}
	args = append(args, "--seed", strconv.FormatUint(r.Seed, 10))
	return strings.Join(args, " ")
}

// quote makes s one word of a shell.
func quote(s string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_./:@%+=-", c)
	}
	if s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !plain(c) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
