package stack

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An Option is a setting of a stack that a target file may choose.
type Option struct {
	Name    string
	Default string
	Allowed string // what values are allowed, for people
	About   string
}

// Options lists the options of a stack by its short name.
func Options(name string) ([]Option, error) {
	if _, err := Topology(name); err != nil {
		return nil, err
	}
	return []Option{
		{
			Name: "replication", Default: replicationSync, Allowed: "sync or async",
			About: "whether a commit waits for a standby; async loses what was not streamed yet",
		},
		{
			Name: "ttl", Default: "10", Allowed: "whole seconds, 8 to 300",
			About: "lease of the Postgres primary; a lost host is noticed when it runs out",
		},
	}, nil
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
	sync bool
	ttl  int // seconds
}

// String names all options with their values.
func (s settings) String() string {
	replication := replicationAsync
	if s.sync {
		replication = replicationSync
	}
	return fmt.Sprintf("replication=%s ttl=%d", replication, s.ttl)
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
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, key) {
			errs = append(errs, fmt.Errorf("stack %s has no option %q: allowed are %s", name, key, strings.Join(names, ", ")))
			continue
		}
		values[key] = given[key]
	}
	s := settings{sync: values["replication"] == replicationSync}
	if v := values["replication"]; v != replicationSync && v != replicationAsync {
		errs = append(errs, fmt.Errorf("option replication: %q is not %s or %s", v, replicationSync, replicationAsync))
	}
	s.ttl, err = strconv.Atoi(values["ttl"])
	if err != nil || s.ttl < minTTL || s.ttl > maxTTL {
		errs = append(errs, fmt.Errorf("option ttl: %q is not a whole number of seconds from %d to %d", values["ttl"], minTTL, maxTTL))
	}
	return s, errors.Join(errs...)
}

// ValidateOptions checks the options of a stack without starting it.
func ValidateOptions(name string, given map[string]string) error {
	_, err := parseOptions(name, given)
	return err
}
