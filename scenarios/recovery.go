package scenarios

import (
	"cmp"
	"fmt"
	"time"
)

// lintRecoveryTime warns of a recovery time that the load cannot show.
func (p *parser) lintRecoveryTime(o *draftObjective, e *draftEvent) {
	f := p.anchor(e)
	if f != nil && f.users != nil {
		p.add(o.key, fmt.Sprintf("an rto cannot be seen in %s: its users send nothing while they wait", f.Name),
			"give the phase a rate: in place of users:")
		return
	}
	if f == nil || f.rate == nil || f.For == 0 {
		return
	}
	limit := time.Duration(o.Limit * float64(time.Millisecond))
	switch rate := min(f.From, f.To); {
	case rate < slowRate && limit < shortTime:
		p.problems.Warn(o.value.pos, o.value.width, fmt.Sprintf("%g/s is a low rate to measure an rto of %s with", rate, o.Text),
			fmt.Sprintf("offer at least %d/s in %s", slowRate, f.Name))
	case rate > 0 && limit < time.Duration(float64(time.Second)/rate):
		p.problems.Warn(o.value.pos, o.value.width, fmt.Sprintf("an rto of %s is less than the %.3gms from one operation to the next at %g/s", o.Text, 1000/rate, rate),
			"a recovery is seen by operations: allow more, or offer more in "+f.Name)
	}
	if f.Until != "" {
		p.problems.Warn(o.value.pos, o.value.width, fmt.Sprintf("%s may be watched for too short: %s ends when %s is over", e.As, f.Name, f.Until),
			"clients have to be served again before that, and it has to be seen to last; put the entries into different phases")
	}
	left := f.For - e.Offset - p.sc.Repeat.Jitter
	if need := limit + cmp.Or(p.sc.Recovered.Window, usualWindow); left < need {
		p.problems.Warn(o.value.pos, o.value.width, fmt.Sprintf("%s is watched for only %s, until %s ends", e.As, FormatDuration(max(left, 0)), f.Name),
			fmt.Sprintf("an rto of %s can be seen to be met within %s; make %s longer", o.Text, FormatDuration(need), f.Name))
	}
}
