package httpload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// A sum is something that has to add up, whatever happens: a part of an answer
// whose numbers are the same in sum at all times.
type sum struct {
	place  *scenarios.Node
	name   string
	path   template
	from   extraction
	equals *big.Rat // nil: what it was before the first drill
	login  bool
}

// sums reads what has to add up.
func (p *parser) sums() {
	n := p.nodes.sums
	if n == nil {
		return
	}
	p.List(n, "sums", func(n *scenarios.Node) {
		s := &sum{place: n, login: true}
		p.Mapping(n, "a sum", p.sumFields(s))
		p.file.sums = append(p.file.sums, s)
	})
}

func (p *parser) sumFields(s *sum) []scenarios.Field {
	return []scenarios.Field{
		{Key: "name", Need: true, Set: func(k, v *scenarios.Node) { s.name, _ = p.Name(v, k.Text()) }},
		{Key: "get", Need: true, Set: func(_, v *scenarios.Node) { s.path, _ = p.path(v, &scope{}) }},
		{Key: "sum", Need: true, Set: func(_, v *scenarios.Node) {
			x, ok := p.extraction(v)
			if ok && x.from.path == nil {
				p.Add(v, "only what a JSONPath finds can be added up", "write for example $.items[*].balance")
			}
			s.from = x
		}},
		{Key: "equals", Set: func(k, v *scenarios.Node) {
			text, ok := p.Scalar(v, k.Text())
			if !ok {
				return
			}
			if s.equals, ok = decimal(text); !ok {
				p.Add(v, strconv.Quote(text)+" is no number", "leave equals: out if it is to stay as it is before the load")
			}
		}},
		{Key: "auth", Set: func(k, v *scenarios.Node) { s.login, _ = p.Truth(v, k.Text()) }},
	}
}

// maxSumBody bounds the answers that are added up, in bytes.
const maxSumBody = 64 << 20

// errNoNumber is why a sum says nothing.
var errNoNumber = errors.New("what was found is not all numbers")

// numeral is a number as JSON writes it. Its length is bounded: an exponent of
// nine digits would be a number that no machine can hold.
var numeral = regexp.MustCompile(`^[+-]?\d{1,100}(\.\d{1,100})?([eE][+-]?\d{1,2})?$`)

// decimal reads a number exactly: money is not kept in binary fractions.
func decimal(text string) (*big.Rat, bool) {
	if !numeral.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// numberOf returns a number of a document, which many systems write as text.
func numberOf(part any) (*big.Rat, bool) {
	switch n := part.(type) {
	case int64:
		return new(big.Rat).SetInt64(n), true
	case float64: // as it was written, up to 15 digits
		return decimal(strconv.FormatFloat(n, 'g', -1, 64))
	case json.Number:
		return decimal(n.String())
	case string:
		return decimal(strings.TrimSpace(n))
	}
	return nil, false
}

// add adds up what is there now.
func (w *Workload) add(ctx context.Context, s *sum) (*big.Rat, error) {
	v := &visit{w: w}
	a, _, err := w.fetch(ctx, v, fetching{path: s.path, login: s.login, limit: maxSumBody})
	if err != nil {
		return nil, fmt.Errorf("add up %s: %w", s.name, err)
	}
	if !success().has(a.status) {
		return nil, fmt.Errorf("add up %s: the answer is %d", s.name, a.status)
	}
	doc, err := a.document()
	if err != nil {
		return nil, fmt.Errorf("add up %s: %w", s.name, err)
	}
	total := new(big.Rat)
	all := allOf(s.from.from.path, doc)
	for _, part := range all {
		n, ok := numberOf(part)
		if !ok {
			return nil, fmt.Errorf("add up %s: %w", s.name, errNoNumber)
		}
		total.Add(total, n)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("add up %s: %w: there is nothing", s.name, errNoNumber)
	}
	return total, nil
}

// begin takes what has to stay as it is, once.
func (w *Workload) begin(ctx context.Context) error {
	if w.expected != nil {
		return nil
	}
	expected := make([]*big.Rat, len(w.file.sums))
	for i, s := range w.file.sums {
		if s.equals != nil {
			expected[i] = s.equals
			continue
		}
		total, err := w.add(ctx, s)
		if err != nil {
			return err
		}
		expected[i] = total
	}
	w.expected = expected
	return nil
}

// away is by how much a sum is wrong, in whole units of what it counts, at least
// one. The text beside it is exact.
func away(total, want *big.Rat) int64 {
	diff := new(big.Rat).Sub(total, want)
	whole := new(big.Int).Quo(diff.Num(), diff.Denom())
	switch {
	case whole.IsInt64() && whole.Sign() != 0:
		return whole.Int64()
	case diff.Sign() < 0:
		return -1
	}
	return 1
}

// plainly writes a sum as it would be written down.
func plainly(r *big.Rat) string {
	digits, _ := r.FloatPrec() // of decimals, it has an end
	return r.FloatString(digits)
}

// addUp records whether everything adds up.
func (a *audit) addUp(ctx context.Context) error {
	var errs []error
	for i, s := range a.w.file.sums {
		event := history.Event{Kind: history.Info, By: history.ByAudit, Op: history.AuditBooks, Drill: a.Drill, Node: s.name}
		total, err := a.w.add(ctx, s)
		switch {
		case err != nil:
			event.Kind, event.Text = history.Fail, err.Error()
			errs = append(errs, err)
		case i >= len(a.w.expected):
			event.Kind, event.Text = history.Fail, "it is not known what it was before"
		case total.Cmp(a.w.expected[i]) != 0:
			event.Value = away(total, a.w.expected[i])
			event.Text = fmt.Sprintf("the sum is %s and should be %s", plainly(total), plainly(a.w.expected[i]))
		}
		a.Recorder.Record(event)
	}
	return errors.Join(errs...)
}
