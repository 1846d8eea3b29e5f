package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios/plan"
)

// newManifest says what is needed to repeat a run and to judge it again.
func newManifest(id string, began time.Time, p *plan.Plan) *reports.Manifest {
	sum, commit := sha256.Sum256(p.Scenario.Source), gitCommit()
	m := &reports.Manifest{
		Schema: reports.SchemaManifest,
		Run:    id,
		Scenario: reports.Source{
			Name: p.Scenario.Name, About: p.Scenario.About, File: p.Scenario.File, SHA256: hex.EncodeToString(sum[:]),
			Git: commit,
		},
		Target:  p.Target,
		Options: p.Options,
		Seed:    p.Seed,
		Client:  p.Client.Version.Client(),
		Began:   began,
		Version: version(),
		Go:      runtime.Version(),
		Git:     commit,
		Host:    host(),
		Spec:    p.Spec,
	}
	first := loadgen.Config{Phases: p.Phases, Arrivals: p.Arrivals, Seed: p.Drills[0].Seed, Drill: 1}
	if schedule, err := first.Schedule(); err == nil { // the plan has seen that there is one
		m.Arrivals = schedule.Hash()
	}
	return m
}

// gitCommit is the commit of the working directory, or empty outside a
// repository.
func gitCommit() string {
	out, err := exec.Command("git", "rev-parse", "HEAD").Output() //nolint:noctx // reads one file, at once
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// host describes the machine that generated the load.
func host() map[string]string {
	h := map[string]string{"os": runtime.GOOS + "/" + runtime.GOARCH, "cores": strconv.Itoa(runtime.NumCPU())}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		h["kernel"] = strings.TrimSpace(string(release))
	}
	if mem, err := os.ReadFile("/proc/meminfo"); err == nil {
		line, _, _ := strings.Cut(string(mem), "\n")
		h["memory"] = strings.TrimSpace(strings.TrimPrefix(line, "MemTotal:"))
	}
	return h
}
