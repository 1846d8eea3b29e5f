package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// SchemaProfile names the format of a profile. Within v1, changes only add.
const SchemaProfile = "baseline/v1"

// A Profile is all of a run that it takes to compare it with another one: some
// ten kilobytes, whatever was the number of operations. A baseline is a profile
// that was kept.
type Profile struct {
	Schema string `json:"schema"` // [SchemaProfile]

	reports.Side

	Options map[string]string `json:"options,omitempty"` // of the target
	Client  string            `json:"client,omitempty"`
	Version string            `json:"proofload_version"`
	Host    map[string]string `json:"host"`
	Behind  string            `json:"behind,omitempty"` // why the judge says that the generator fell behind; empty: it did not
	Phases  []check.Phase     `json:"phases"`
	Series  []Series          `json:"series"`
}

// NewProfile says what is known of a run without its history.
func NewProfile(m *reports.Manifest) *Profile {
	return &Profile{
		Schema:  SchemaProfile,
		Side:    reports.Side{Run: m.Run, Scenario: m.Scenario.Name, Target: m.Target, Git: m.Git, Began: m.Began},
		Options: m.Options, Client: m.Client, Version: m.Version, Host: m.Host, Phases: m.Spec.Phases,
	}
}

// Read makes the profile of a run from its history.
func Read(m *reports.Manifest, events iter.Seq2[*history.Event, error]) (*Profile, error) {
	p := NewProfile(m)
	var err error
	if p.Series, err = Collect(m.Spec, events); err != nil {
		return nil, fmt.Errorf("run %s: %w", m.Run, err)
	}
	return p, nil
}

// Decode reads a profile that was kept.
func Decode(r io.Reader) (*Profile, error) {
	var p Profile
	if err := json.NewDecoder(r).Decode(&p); err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	if p.Schema != SchemaProfile {
		return nil, fmt.Errorf("read baseline: it is %q, this version reads %s", p.Schema, SchemaProfile)
	}
	return &p, nil
}

// Encode writes the profile to keep it.
func (p *Profile) Encode(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(p); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

// find returns the series of an operation in a phase, or nil.
func (p *Profile) find(k key) *Series {
	i := slices.IndexFunc(p.Series, func(s Series) bool { return s.Phase == k.phase && s.Op == k.op })
	if i < 0 {
		return nil
	}
	return &p.Series[i]
}

// phase returns a phase by name, and whether there is one.
func (p *Profile) phase(name string) (check.Phase, bool) {
	i := slices.IndexFunc(p.Phases, func(f check.Phase) bool { return f.Name == name })
	if i < 0 {
		return check.Phase{}, false
	}
	return p.Phases[i], true
}

// offered says how much load a phase offers, for people.
func offered(p check.Phase) string {
	switch {
	case p.Users > 0:
		return fmt.Sprintf("%d users", p.Users)
	case p.Planned > 0 && p.For > 0:
		return fmt.Sprintf("%.4g/s on average", p.Planned/p.For.Seconds())
	case p.From == p.To:
		return fmt.Sprintf("%g/s", p.From)
	}
	return fmt.Sprintf("%g/s to %g/s", p.From, p.To)
}

// notes says in what else two runs differ that may explain a difference.
func notes(before, after *Profile) []string {
	var list []string
	differ := func(what, a, b string) {
		if a != b {
			list = append(list, fmt.Sprintf("%s: %s before, %s after", what, orNone(a), orNone(b)))
		}
	}
	differ("scenario", before.Scenario, after.Scenario)
	differ("target", before.Target, after.Target)
	differ("options of the target", written(before.Options), written(after.Options))
	differ("client", before.Client, after.Client)
	for _, name := range []string{"os", "cores", "memory"} {
		differ(name+" of the machine", before.Host[name], after.Host[name])
	}
	return list
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func written(options map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		list = append(list, name+"="+options[name])
	}
	return strings.Join(list, ", ")
}
