package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// defects are what can be switched on, by name.
func defects() map[string]func(*Config) {
	return map[string]func(*Config){
		"double":     func(c *Config) { c.Double = true },
		"no-pause":   func(c *Config) { c.NoPause = true },
		"no-jobs":    func(c *Config) { c.NoJobs = true },
		"stale":      func(c *Config) { c.Stale = true },
		"unfenced":   func(c *Config) { c.Unfenced = true },
		"stuck-pool": func(c *Config) { c.StuckPool = true },
		"forgets":    func(c *Config) { c.Forgets = true },
		"repeats":    func(c *Config) { c.Repeats = true },
	}
}

// Options turns the options of a target into a configuration, or says which
// are unknown.
func Options(given map[string]string) (Config, error) {
	c := Config{Sync: true}
	known := []string{"replication", "failover", "latency", "defect"}
	var wrong sut.OptionErrors
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
			one := sut.OptionError{Name: name, Msg: fmt.Sprintf("sim/ledger has no option %s=%s: allowed are replication=sync|async, failover=TIME, latency=TIME, defect=%s",
				name, value, strings.Join(slices.Sorted(maps.Keys(defects())), "|"))}
			if !slices.Contains(known, name) {
				one.Known = known
			}
			wrong = append(wrong, one)
		}
	}
	return c, wrong.Err()
}
