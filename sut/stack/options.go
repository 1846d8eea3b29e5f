package stack

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// An Option is a setting of a stack that a target file may choose.
type Option struct {
	Name    string
	Default string
	Allowed string   // what values are allowed, for people
	Values  []string // all of them, where they are few words
	About   string
}

// Options lists the options of a stack by its short name.
func Options(name string) ([]Option, error) {
	if _, err := Topology(name); err != nil {
		return nil, err
	}
	return []Option{
		{
			Name: "replication", Default: replicationSync, Allowed: "sync or async", Values: []string{replicationSync, replicationAsync},
			About: "whether a commit waits for a standby; async loses what was not streamed yet",
		},
		{
			Name: "ttl", Default: "10", Allowed: "whole seconds, 8 to 300",
			About: "lease of the Postgres primary; a lost host is noticed when it runs out",
		},
		{
			Name: "fsync", Default: fsyncOn, Allowed: "on or off", Values: []string{fsyncOn, fsyncOff},
			About: "whether Postgres waits for the disk; without, only a machine that loses its power loses data, not a process that dies",
		},
		{
			Name: "data", Default: dataSets()[0].name, Allowed: "small, medium or large", Values: dataNames(),
			About: "what the ledger begins with: 1,000 accounts; 100,000 and 1,000,000 transfers; 1,000,000 and 10,000,000",
		},
		{
			Name: "traces", Default: tracesNone, Allowed: "none, or the URL of a trace collector (OTLP over HTTP)",
			About: "where the service sends its traces, as its containers reach it",
		},
		{
			Name: "trace-ratio", Default: "0.1", Allowed: "a number from 0 to 1",
			About: "part of the requests that are traced, where there is a collector",
		},
	}, nil
}

// The values of the option fsync.
const (
	fsyncOn  = "on"
	fsyncOff = "off"
)

// tracesNone is the value of the option traces for none.
const tracesNone = "none"

// A dataSet is what a ledger can begin with.
type dataSet struct {
	name     string // ledgerd's, too
	accounts int
	loading  time.Duration // far above what a slow machine takes
}

func dataSets() []dataSet {
	return []dataSet{
		{"small", 1_000, 0},
		{"medium", 100_000, 10 * time.Minute},
		{"large", 1_000_000, 2 * time.Hour},
	}
}

// dataNames are the values of the option data.
func dataNames() []string {
	var names []string
	for _, d := range dataSets() {
		names = append(names, d.name)
	}
	return names
}

// The values of the option replication.
const (
	replicationSync  = "sync"
	replicationAsync = "async"
)

// minTTL is loop_wait + 2·retry_timeout, rounded up by one loop: below it
// Patroni demotes a primary that merely waits for etcd.
const (
	minTTL = 8
	maxTTL = 300
)

// settings are the options of a ledger stack, parsed.
type settings struct {
	sync       bool
	ttl        int  // seconds
	unsynced   bool // Postgres does not wait for the disk
	data       dataSet
	traces     string  // URL; empty for none
	traceRatio float64 // 0 to 1
}

// String names all options with their values.
func (s settings) String() string {
	replication := replicationAsync
	if s.sync {
		replication = replicationSync
	}
	return fmt.Sprintf("replication=%s ttl=%d fsync=%s data=%s traces=%s trace-ratio=%g",
		replication, s.ttl, s.fsync(), s.data.name, cmp.Or(s.traces, tracesNone), s.traceRatio)
}

// fsync is the value of the option of that name.
func (s settings) fsync() string {
	if s.unsynced {
		return fsyncOff
	}
	return fsyncOn
}

// parseOptions checks options given by name and fills in defaults. The error
// names every option that is unknown or out of bounds and what is allowed.
func parseOptions(name string, given map[string]string) (settings, error) {
	known, err := Options(name)
	if err != nil {
		return settings{}, err
	}
	values := map[string]string{}
	names := make([]string, len(known))
	for i, o := range known {
		values[o.Name], names[i] = o.Default, o.Name
	}
	var wrong sut.OptionErrors
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, key) {
			wrong = append(wrong, sut.OptionError{Name: key, Known: names, Msg: fmt.Sprintf("stack %s has no option %q: allowed are %s", name, key, strings.Join(names, ", "))})
			continue
		}
		values[key] = given[key]
	}
	s := settings{sync: values["replication"] == replicationSync}
	if v := values["replication"]; v != replicationSync && v != replicationAsync {
		wrong = refuse(wrong, "replication", "%q is not %s or %s", v, replicationSync, replicationAsync)
	}
	s.ttl, err = strconv.Atoi(values["ttl"])
	if err != nil || s.ttl < minTTL || s.ttl > maxTTL {
		wrong = refuse(wrong, "ttl", "%q is not a whole number of seconds from %d to %d", values["ttl"], minTTL, maxTTL)
	}
	if s.unsynced = values["fsync"] == fsyncOff; !s.unsynced && values["fsync"] != fsyncOn {
		wrong = refuse(wrong, "fsync", "%q is not %s or %s", values["fsync"], fsyncOn, fsyncOff)
	}
	data := slices.IndexFunc(dataSets(), func(d dataSet) bool { return d.name == values["data"] })
	if data < 0 {
		wrong = refuse(wrong, "data", "%q is not small, medium or large", values["data"])
	} else {
		s.data = dataSets()[data]
	}
	wrong = append(wrong, s.parseTraces(values["traces"], values["trace-ratio"])...)
	return s, wrong.Err()
}

// refuse adds what is wrong with the value of an option.
func refuse(wrong sut.OptionErrors, name, format string, args ...any) sut.OptionErrors {
	return append(wrong, sut.OptionError{Name: name, Msg: "option " + name + ": " + fmt.Sprintf(format, args...)})
}

func (s *settings) parseTraces(collector, ratio string) (wrong sut.OptionErrors) {
	if collector != tracesNone {
		s.traces = collector
		if u, err := url.Parse(collector); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			wrong = refuse(wrong, "traces", "%q is neither %s nor a URL such as http://172.17.0.1:4318", collector, tracesNone)
		}
	}
	var err error
	if s.traceRatio, err = strconv.ParseFloat(ratio, 64); err != nil || !(s.traceRatio >= 0 && s.traceRatio <= 1) { // NaN is neither
		wrong = refuse(wrong, "trace-ratio", "%q is not a number from 0 to 1", ratio)
	}
	return wrong
}

// ValidateOptions checks the options of a stack without starting it.
func ValidateOptions(name string, given map[string]string) error {
	_, err := parseOptions(name, given)
	return err
}
