package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// The verdicts of a run that has no judgement to stand on.
const (
	VerdictError       = "error"
	VerdictStopped     = "stopped"
	VerdictInterrupted = "interrupted"
)

// An Ending says how a run ended. The zero value is a run that ended by
// itself, with nothing left broken.
type Ending struct {
	NotReady error        // the system was not healthy before the first drill
	Stopped  error        // an abort condition ended the run
	Failed   error        // steps that could not be carried out; the history says which
	Left     []chaos.Undo // what may still be broken
	Canceled bool         // the context was cancelled
	NotDown  error        // the system could not be taken down afterwards
}

// A StepError says that an entry of the timeline could not be carried out.
type StepError struct {
	Step  string // make, inject, recover, heal, start or see recovered
	Entry check.Entry
	Err   error
}

// Error says which step of which entry failed, and why. Of a fault that waited for
// its moment in vain it says only that, unless something may be left of it.
func (e *StepError) Error() string {
	if missed, ok := errors.AsType[*chaos.MissedError](e.Err); ok && !errors.Is(e.Err, chaos.ErrLeft) {
		return fmt.Sprintf("%s was not injected: %v", e.Entry.Name, missed)
	}
	return fmt.Sprintf("%s %s: %v", e.Step, e.Entry.Name, e.Err)
}

// Unwrap returns why.
func (e *StepError) Unwrap() error { return e.Err }

// Unfinished reports whether something kept the run from ending by itself.
func (e Ending) Unfinished() bool {
	return e.Canceled || len(e.Left) > 0 || errors.Join(e.NotReady, e.Stopped, e.Failed) != nil
}

// Times says how long the parts of a run took.
type Times struct {
	Took   time.Duration // all of it
	Ready  time.Duration // until the system was ready
	Images time.Duration // of that, for making images
}

// Conclude says in r how the run ended, which outweighs what was judged.
func Conclude(r *reports.Result, end Ending, t Times) {
	r.TookMS, r.ReadyMS, r.ImagesMS = float64(t.Took.Milliseconds()), float64(t.Ready.Milliseconds()), float64(t.Images.Milliseconds())
	var problems []string
	switch {
	case end.Canceled:
		r.Verdict, problems = VerdictInterrupted, []string{"interrupted before the end"}
	case end.NotReady != nil:
		r.Verdict, problems = VerdictError, []string{end.NotReady.Error()}
	case end.Stopped != nil:
		r.Verdict, problems = VerdictStopped, []string{end.Stopped.Error()}
	}
	for _, err := range []error{end.Failed, end.NotDown} {
		if err != nil {
			problems = append(problems, err.Error())
		}
	}
	// Containers that stay must not hide behind a run that went well, nor
	// behind one that was interrupted and left everything clean.
	if end.NotDown != nil && slices.Contains([]string{string(check.Pass), VerdictInterrupted}, r.Verdict) {
		r.Verdict = VerdictError
	}
	r.Problem = strings.Join(problems, "; ")
	settle(r, end.Left)
}

// Review judges the recorded history of a run again. What the history does not
// say is taken from old, the result that the run wrote if it lived to do so,
// and what is still broken from the journal: it may have been mended since.
func Review(dir reports.Directory, m *reports.Manifest, old *reports.Result) (*reports.Result, error) {
	r, err := Judge(dir, m)
	if err != nil {
		return nil, err
	}
	if old != nil {
		r.TookMS, r.ReadyMS, r.ImagesMS, r.Problem = old.TookMS, old.ReadyMS, old.ImagesMS, old.Problem
		if slices.Contains([]string{VerdictError, VerdictStopped, VerdictInterrupted}, old.Verdict) {
			r.Verdict = old.Verdict
		}
	}
	left, err := leftIn(dir)
	if err != nil {
		return nil, err
	}
	settle(r, left)
	return r, nil
}

// settle says what may still be broken, and the exit code that belongs to a
// verdict, a problem and that.
func settle(r *reports.Result, left []chaos.Undo) {
	// A run that could not be carried out as planned is never a pass.
	if r.Verdict == string(check.Pass) && (r.Problem != "" || len(left) > 0) {
		r.Outcome, r.Verdict = check.Inconclusive, string(check.Inconclusive)
	}
	r.Exit = exitOf(r.Verdict)
	if len(left) > 0 {
		r.Exit = reports.ExitFaultsLeft
	}
	r.FaultsLeft = describe(left)
	// What was mended after the history ended was not seen to go, but is gone.
	for i, f := range r.Faults {
		r.Faults[i].Open = f.Open && slices.ContainsFunc(left, func(u chaos.Undo) bool { return u.Kind == f.Verb && u.Target == f.Target })
	}
}

// exitOf maps a verdict to the exit code of the process.
func exitOf(verdict string) int {
	switch verdict {
	case string(check.Pass):
		return reports.ExitPass
	case string(check.Fail):
		return reports.ExitFail
	case VerdictError:
		return reports.ExitEnvironment
	case VerdictStopped:
		return reports.ExitStopped
	case VerdictInterrupted:
		return reports.ExitInterrupted
	default:
		return reports.ExitInconclusive
	}
}

// leftIn lists what the journal in a run directory says may still be broken. A
// run that broke nothing has no journal, nor has one whose stack is gone.
func leftIn(dir reports.Directory) (left []chaos.Undo, err error) {
	file := dir.File(reports.FileJournal)
	if _, missing := os.Stat(file); errors.Is(missing, fs.ErrNotExist) {
		return nil, nil
	}
	journal, err := chaos.OpenJournal(file)
	if err != nil {
		return nil, err
	}
	return undone(journal), journal.Close()
}

// undone lists what a journal says may still be broken.
func undone(j *chaos.Journal) []chaos.Undo {
	var left []chaos.Undo
	for _, e := range j.Pending() {
		left = append(left, *e.Undo)
	}
	return left
}

// describe lists what may still be broken with the commands that mend it.
func describe(left []chaos.Undo) []string {
	lines := make([]string, 0, len(left))
	for _, u := range left {
		said := append([]string{fmt.Sprintf("%s %s: proofload heal", u.Kind, u.Target)}, u.Manual...)
		lines = append(lines, strings.Join(said, "\n  by hand: "))
	}
	return lines
}
