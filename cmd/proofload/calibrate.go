package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

// calibrationFile is where the last calibration of this directory's machine is.
const calibrationFile = ".proofload/calibration.json"

// A calibration says how much load a machine can generate.
type calibration struct {
	PerSecond float64           `json:"per_second"`
	At        time.Time         `json:"at"`
	Host      map[string]string `json:"host"`
}

func (a *app) calibrateCommand() *cobra.Command {
	within := 5 * time.Second
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure how much load this machine can generate; a run beyond that is inconclusive",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if within <= 0 {
				return exit(reports.ExitUsage, fmt.Errorf("--for %s: want more than nothing", within))
			}
			rate, err := loadgen.Calibrate(cmd.Context(), within)
			if err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			c := calibration{PerSecond: rate, At: time.Now().UTC(), Host: host()}
			if err := c.write(); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			fmt.Fprintf(a.stdout, "this machine can send %.0f operations per second, with a server of small answers beside it\n", rate)
			return nil
		},
	}
	cmd.Flags().DurationVar(&within, "for", within, "how long to measure")
	return cmd
}

func (c calibration) write() error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(calibrationFile), 0o755); err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	if err := os.WriteFile(calibrationFile, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	return nil
}

// readCalibration returns the last calibration of this machine, or nil if there
// is none.
func readCalibration() (*calibration, error) {
	text, err := os.ReadFile(calibrationFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	if err != nil {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	var c calibration
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("read calibration: %s: %w; proofload calibrate writes it anew", calibrationFile, err)
	}
	if c.PerSecond <= 0 {
		return nil, fmt.Errorf("read calibration: %s: %g operations per second; proofload calibrate writes it anew", calibrationFile, c.PerSecond)
	}
	if len(c.Host) > 0 && !maps.Equal(c.Host, host()) {
		return nil, nil //nolint:nilnil // it is of another machine, which says nothing of this one
	}
	return &c, nil
}

// compareCalibration warns of phases that offer more than this machine was seen
// to generate. Those that are scored leave the run open, whatever it shows: an
// engine at its limit can be late where it does not see it.
func (p *planned) compareCalibration() error {
	c, err := readCalibration()
	if c == nil {
		return err
	}
	for i := range p.Phases {
		peak := p.perArrival() * p.Phases[i].Peak()
		if peak <= c.PerSecond {
			continue
		}
		text := fmt.Sprintf("%s goes up to %.0f/s, and this machine was calibrated for %.0f/s", p.Phases[i].Name, peak, c.PerSecond)
		hint := "offer less; proofload calibrate measures again"
		if phase := p.Scenario.Load.Phases[i]; phase.Score {
			p.Spec.Beyond = append(p.Spec.Beyond, text)
			hint = "offer less, or the run is inconclusive at best; proofload calibrate measures again"
		}
		p.Warnings = append(p.Warnings, scenarios.Problem{
			Pos: p.Scenario.Load.Phases[i].Pos, Width: 1, Warning: true, Msg: text, Hint: hint,
		})
	}
	return nil
}

// perArrival is how many operations one arrival comes to, those of the steps of
// journeys counted.
func (p *planned) perArrival() float64 {
	if p.workload == nil {
		return 1
	}
	return p.workload.PerArrival()
}
