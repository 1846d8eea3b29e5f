package plan

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// schemaPlan names the format of a plan as JSON. Within v1, changes only add.
const schemaPlan = "plan/v1"

// A document is a plan for programs. Times are in milliseconds; those of the
// timeline count from the start of a drill, without its jitter.
type document struct {
	Schema   string            `json:"schema"`
	Scenario string            `json:"scenario"`
	File     string            `json:"file"`
	About    string            `json:"about,omitempty"`
	Target   string            `json:"target"`
	Options  map[string]string `json:"options,omitempty"`
	Needs    string            `json:"needs,omitempty"`  // what the target takes of this machine
	Allows   string            `json:"allows,omitempty"` // what the owner of the target allows
	Seed     uint64            `json:"seed"`

	DurationMS int64           `json:"duration_ms"`        // of one drill
	GatesMS    int64           `json:"gates_ms,omitempty"` // that people may take at its gates, at most
	Drills     []drillDocument `json:"drills"`

	Workload   string          `json:"workload"`
	Arrivals   string          `json:"arrivals"`
	PeakPerS   float64         `json:"peak_per_s"`
	Operations int             `json:"operations"` // of one drill, by schedule
	Phases     []phaseDocument `json:"phases"`
	Timeline   []stepDocument  `json:"timeline"`

	Objectives []objectiveDocument `json:"objectives"`
	Verify     []string            `json:"verify"`
	Queries    []check.Query       `json:"queries,omitempty"` // of verify, in SQL
	Compare    *check.Compare      `json:"compare,omitempty"`
	Abort      *abortDocument      `json:"abort,omitempty"`
	Warnings   []warningDocument   `json:"warnings"`
}

type drillDocument struct {
	N        int   `json:"n"`
	JitterMS int64 `json:"jitter_ms"`
}

type phaseDocument struct {
	Name    string `json:"name"`
	StartMS int64  `json:"start_ms"`
	ForMS   int64  `json:"for_ms"`
	Load    string `json:"load"` // as the plan for people says it
	Scored  bool   `json:"scored"`
	Until   string `json:"until,omitempty"` // the entry that ends it, within for_ms
}

type stepDocument struct {
	Name    string            `json:"name"`
	Verb    string            `json:"verb"`
	AtMS    int64             `json:"at_ms"`
	ForMS   int64             `json:"for_ms,omitempty"`
	Phase   string            `json:"phase"`
	Line    int               `json:"line"`
	Target  string            `json:"target,omitempty"` // as the scenario says it
	Nodes   []string          `json:"nodes,omitempty"`  // that it may act on
	Links   []string          `json:"links,omitempty"`
	With    map[string]string `json:"with,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // of a request; secrets are named in them
	Text    string            `json:"text,omitempty"`    // of a note, a gate or a statement
	To      string            `json:"to,omitempty"`      // of a restore
	Backup  sut.BackupKind    `json:"backup,omitempty"`  // full or incremental
	Fault   bool              `json:"fault"`
	About   string            `json:"about,omitempty"` // of a fault: what it does
	Needs   string            `json:"needs,omitempty"`
	Undone  string            `json:"undone,omitempty"`
}

type objectiveDocument struct {
	Subject string `json:"subject"`
	Metric  string `json:"metric"`
	Op      string `json:"op"`
	Limit   string `json:"limit"` // as written, with its unit
	Line    int    `json:"line"`
	Col     int    `json:"col"`
}

type abortDocument struct {
	Condition string `json:"condition"`
	ForMS     int64  `json:"for_ms"`
}

type warningDocument struct {
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// WriteJSON writes the plan for programs, as one JSON object.
func (p *Plan) WriteJSON(w io.Writer) error {
	d := document{
		Schema: schemaPlan, Scenario: p.Scenario.Name, File: p.Scenario.File, About: p.Scenario.About,
		Target: p.Target, Options: p.Options, Needs: p.Needs, Allows: p.Allows, Seed: p.Seed,
		DurationMS: p.Duration().Milliseconds(), GatesMS: p.Open().Milliseconds(),
		Workload: p.Workload, Arrivals: string(p.Arrivals), PeakPerS: p.Peak(), Operations: p.Operations(),
		Phases: []phaseDocument{}, Timeline: []stepDocument{}, Objectives: []objectiveDocument{}, Warnings: []warningDocument{},
		Verify: append([]string{}, p.Spec.Verify...), Queries: p.Spec.Queries, Compare: p.Spec.Compare,
	}
	for _, drill := range p.Drills {
		d.Drills = append(d.Drills, drillDocument{drill.N, drill.Jitter.Milliseconds()})
	}
	for i, f := range p.Spec.Phases {
		d.Phases = append(d.Phases, phaseDocument{f.Name, f.Start.Milliseconds(), f.For.Milliseconds(), profile(&p.Phases[i]), f.Score, f.Until})
	}
	for _, s := range p.Steps {
		d.Timeline = append(d.Timeline, p.stepDocument(s))
	}
	for _, o := range p.Scenario.Objectives {
		d.Objectives = append(d.Objectives, objectiveDocument{o.Subject, o.Metric, o.Op, limitOf(o), o.Pos.Line, o.Pos.Col})
	}
	if a := p.Scenario.Abort; a != nil {
		d.Abort = &abortDocument{a.Condition(), a.For.Milliseconds()}
	}
	for _, q := range p.Warnings {
		d.Warnings = append(d.Warnings, warningDocument{q.Pos.Line, q.Pos.Col, q.Msg, q.Hint})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func (p *Plan) stepDocument(s Step) stepDocument {
	d := stepDocument{
		Name: s.Entry.Name, Verb: s.Verb, AtMS: s.Entry.At.Milliseconds(), ForMS: s.Entry.For.Milliseconds(), Phase: s.Entry.Phase, Line: s.Entry.Line,
		Target: s.Entry.Target, With: s.Params.Values, Headers: s.Headers, Text: s.Text, To: s.To, Backup: s.Backup, Fault: s.Fault,
	}
	if verb, ok := scenarios.LookupVerb(s.Verb); ok && verb.Takes == scenarios.TakesText {
		d.Target = "" // it is the text
	}
	for _, n := range s.Params.Target.Nodes {
		d.Nodes = append(d.Nodes, n.Name)
	}
	for _, l := range s.Params.Target.Links {
		d.Links = append(d.Links, l.Name)
	}
	if s.Fault {
		d.About, d.Needs = p.kinds[s.Verb].Tell(s.Params)
		d.Undone = s.Until
	}
	return d
}
