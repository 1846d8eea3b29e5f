package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// probeTimeout bounds the question whether a system is the one meant.
const probeTimeout = 10 * time.Second

// allowFlag is the help of the flag that names a permit.
const allowFlag = "permit: a file that says what may be broken, when, and where the kill switch is"

// A license is what a permit allows. The zero value allows everything.
type license struct {
	policy chaos.Policy
	stops  []chaos.KillSwitch
	probe  *scenarios.Identity
}

// readLicense reads a permit, if one is named.
func (a *app) readLicense(file string, topology sut.Topology) (license, error) {
	if file == "" {
		return license{}, nil
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return license{}, fmt.Errorf("read permit: %w", err)
	}
	t, err := scenarios.ParsePermit(file, src, a.lookup)
	if err != nil {
		return license{}, err
	}
	l := license{probe: t.Probe}
	l.policy, l.stops, err = plan.Policy(t, topology, catalog())
	return l, err
}

// clear returns when nothing speaks against breaking the system: it is the one
// meant, and no kill switch is engaged.
func (l license) clear(ctx context.Context, env sut.Environment) error {
	for _, s := range l.stops {
		if err := s.Check(ctx); err != nil {
			return err
		}
	}
	return l.identify(ctx, env)
}

// identify asks the system whether it is the one that the file speaks of.
func (l license) identify(ctx context.Context, env sut.Environment) error {
	if l.probe == nil {
		return nil
	}
	url := l.probe.Get
	if base, ok := env.Endpoint("api"); ok && strings.HasPrefix(url, "/") {
		url = strings.TrimRight(base, "/") + url
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask the system who it is: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the system who it is: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("ask the system who it is: %w", err)
	}
	if said := strings.TrimSpace(string(body)); resp.StatusCode != http.StatusOK || said != l.probe.Expect {
		return fmt.Errorf("this is not the system that may be broken: %s answers %s %.60q, want %q", l.probe.Get, resp.Status, said, l.probe.Expect)
	}
	return nil
}

// bind holds all further injections to what is allowed, for as long as ctx is not
// done, and returns what is to be watched meanwhile. A switch is asked before each
// injection too: it may have been engaged since it was looked at.
func (l license) bind(ctx context.Context, journal *chaos.Journal, topology sut.Topology) (alarms []func(context.Context) error) {
	journal.Require(l.policy.Permit(topology))
	for _, s := range l.stops {
		journal.Require(func([]chaos.Entry, chaos.Undo) error { return s.Check(ctx) })
		alarms = append(alarms, func(ctx context.Context) error {
			err := s.Watch(ctx)
			if err != nil {
				journal.Note("stopped", "", err.Error())
			}
			return err
		})
	}
	return alarms
}
