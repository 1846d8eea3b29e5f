package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// defects are what can be switched on, by name.
func defects() map[string]func(*Config) {
	return map[string]func(*Config){
		"double":     func(c *Config) { c.Double = true },
		"no-jobs":    func(c *Config) { c.NoJobs = true },
		"stale":      func(c *Config) { c.Stale = true },
		"unfenced":   func(c *Config) { c.Unfenced = true },
		"stuck-pool": func(c *Config) { c.StuckPool = true },
		"repeats":    func(c *Config) { c.Repeats = true },
	}
}

// Options turns the options of a target into a configuration, or says which
// are unknown.
func Options(given map[string]string) (Config, error) {
	c := Config{Sync: true}
	var errs []error
	for name, value := range given {
		defect := defects()[value]
		span, notTime := time.ParseDuration(value)
		switch {
		case name == "replication" && (value == "sync" || value == "async"):
			c.Sync = value == "sync"
		case name == "failover" && notTime == nil && span > 0:
			c.Failover = span
		case name == "latency" && notTime == nil && span >= 0:
			c.Latency = span
		case name == "defect" && defect != nil:
			defect(&c)
		default:
			errs = append(errs, fmt.Errorf("sim/ledger has no option %s=%s: allowed are replication=sync|async, failover=TIME, latency=TIME, defect=%s",
				name, value, strings.Join(slices.Sorted(maps.Keys(defects())), "|")))
		}
	}
	return c, errors.Join(errs...)
}
