//go:build integration

package loadgen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What make bench-load runs is a benchmark, so that no run of the tests starts
// it: it has one iteration, which takes minutes. Each generator is a process of
// its own with one core, and the server is one with another core.

// The generators that are compared. The first two are roles of this binary.
const (
	engineRole = "engine"
	vegetaRole = "vegeta"
	k6Tool     = "k6"
	wrkTool    = "wrk"
)

// loadFigures are the raw figures of the benchmark.
type loadFigures struct {
	CPUs        int                  `json:"cpus"`
	CPU         string               `json:"cpu"`
	Go          string               `json:"go"`
	At          time.Time            `json:"at"`
	Pinned      bool                 `json:"pinned"` // each process to a core of its own
	Connections int                  `json:"connections"`
	Seconds     float64              `json:"seconds"` // of each sample
	Saturated   map[string][]float64 `json:"saturated_per_s"`
	CPUPerOp    map[string][]float64 `json:"saturated_cpu_us_per_op"` // of the first two
	Missing     []string             `json:"not_installed"`
	Half        openFigures          `json:"half"`     // on one core
	HalfAll     openFigures          `json:"half_all"` // on all, as a run has them
	History     historyFigures       `json:"history"`
	InFlight    inFlightFigures      `json:"in_flight"`
	Soak        soakFigures          `json:"soak"`
}

// BenchmarkLoad compares the engine with other generators, and measures what
// it costs. It prints its figures and judges none of them.
func BenchmarkLoad(b *testing.B) {
	ctx := b.Context()
	f := &loadFigures{
		CPUs: runtime.NumCPU(), CPU: processorName(), Go: runtime.Version(), At: time.Now().UTC().Truncate(time.Second),
		Connections: 64, Seconds: setting(b, "BENCH_FOR", 5*time.Second).Seconds(), Saturated: map[string][]float64{}, CPUPerOp: map[string][]float64{},
	}
	r := &benchRunner{dir: b.TempDir(), figures: f}
	r.pin(ctx)
	stop, err := r.startServer(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	err = r.measure(ctx, setting(b, "BENCH_SOAK", time.Minute), os.Stdout)
	if saveErr := r.save(os.Stdout); saveErr != nil || err != nil {
		b.Fatal(errors.Join(err, saveErr)) // the figures of one that was cut short are kept, too
	}
	f.print(os.Stdout)
	b.ReportMetric(median(f.Saturated[engineRole]), "ops/s")
	b.ReportMetric(median(f.ratios(vegetaRole)), "of-vegeta")
	b.ReportMetric(0, "ns/op") // says nothing here
}

// setting reads a duration of the environment.
func setting(b *testing.B, name string, otherwise time.Duration) time.Duration {
	b.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Second {
		b.Fatalf("%s=%s: want a duration of 1s or more", name, value)
	}
	return d
}

// A benchRunner starts the processes.
type benchRunner struct {
	dir     string
	url     string
	figures *loadFigures
	loadOn  []string // command that binds a generator to its core
	serveOn []string // and the server to another
}

// pin finds out whether processes can have a core each.
func (r *benchRunner) pin(ctx context.Context) {
	if runtime.NumCPU() < 2 || exec.CommandContext(ctx, "taskset", "-c", "0", "true").Run() != nil {
		return
	}
	r.figures.Pinned = true
	r.loadOn, r.serveOn = []string{"taskset", "-c", "0"}, []string{"taskset", "-c", "1"}
}

// command is a process with one core.
func command(ctx context.Context, bind []string, name string, args ...string) *exec.Cmd {
	all := append(slices.Clone(bind), append([]string{name}, args...)...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.WaitDelay = time.Second
	return cmd
}

// self is this binary in another role.
func self(ctx context.Context, bind []string, p part) (*exec.Cmd, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := command(ctx, bind, exe, "-test.run=^$", "-test.bench=^BenchmarkLoadPart$", "-test.benchtime=1x", "-test.timeout=0")
	cmd.Env = append(cmd.Env, partVariable+"="+string(text))
	return cmd, nil
}

// startServer starts the server, and returns what ends it.
func (r *benchRunner) startServer(ctx context.Context) (stop func(), err error) {
	cmd, err := self(ctx, r.serveOn, part{Role: serverRole})
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "serving "); ok {
			r.url = url
			return stop, nil
		}
	}
	stop()
	return nil, errors.New("the server did not start")
}

// play has this binary play a role, and reads its result.
func (r *benchRunner) play(ctx context.Context, p part, result any) error {
	p.URL, p.Result, p.Connections = r.url, filepath.Join(r.dir, "result.json"), r.figures.Connections
	p.Dir = r.dir
	_ = os.Remove(p.Result)
	bind := r.loadOn
	if p.Unbound {
		bind = nil
	}
	cmd, err := self(ctx, bind, p)
	if err != nil {
		return err
	}
	if p.Unbound {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", runtime.NumCPU()))
	}
	out, runErr := cmd.CombinedOutput() // fails for what Vegeta's client leaves behind, which is no matter here
	text, err := os.ReadFile(p.Result)
	if err == nil {
		err = json.Unmarshal(text, result)
	}
	if err != nil {
		return fmt.Errorf("play %s: %w\n%s", p.Role, errors.Join(runErr, err), out)
	}
	return nil
}

// measure takes all figures, those of saturation in turns.
func (r *benchRunner) measure(ctx context.Context, soak time.Duration, w interface{ Write([]byte) (int, error) }) error {
	f := r.figures
	for _, tool := range []string{k6Tool, wrkTool} {
		if _, err := exec.LookPath(tool); err != nil {
			f.Missing = append(f.Missing, tool)
		}
	}
	const samples = 5
	for i := range samples {
		for _, tool := range []string{engineRole, vegetaRole, k6Tool, wrkTool} {
			if slices.Contains(f.Missing, tool) {
				continue
			}
			rate, err := r.saturate(ctx, tool)
			if err != nil {
				return fmt.Errorf("saturate with %s: %w", tool, err)
			}
			f.Saturated[tool] = append(f.Saturated[tool], rate)
			fmt.Fprintf(w, "sample %d of %d: %-6s %8.0f/s\n", i+1, samples, tool, rate)
		}
	}
	half := part{Role: openRole, Rate: median(f.Saturated[engineRole]) / 2, Seconds: 2 * f.Seconds}
	halfAll := half
	halfAll.Unbound = true
	return errors.Join(
		r.play(ctx, half, &f.Half),
		r.play(ctx, halfAll, &f.HalfAll),
		r.play(ctx, part{Role: historyRole}, &f.History),
		r.play(ctx, part{Role: inFlightRole}, &f.InFlight),
		r.play(ctx, part{Role: soakRole, Rate: 5000, Seconds: soak.Seconds()}, &f.Soak),
	)
}

// saturate returns how many operations a second a generator completes with all
// connections always busy.
func (r *benchRunner) saturate(ctx context.Context, tool string) (float64, error) {
	seconds := strconv.FormatFloat(r.figures.Seconds, 'f', -1, 64) + "s"
	connections := strconv.Itoa(r.figures.Connections)
	switch tool {
	case k6Tool:
		return r.saturateK6(ctx, seconds, connections)
	case wrkTool:
		out, err := command(ctx, r.loadOn, "wrk", "-t1", "-c"+connections, "-d"+seconds, r.url).Output()
		if err != nil {
			return 0, err
		}
		m := regexp.MustCompile(`Requests/sec:\s+([\d.]+)`).FindSubmatch(out)
		if m == nil {
			return 0, fmt.Errorf("no rate in its output: %s", out)
		}
		return strconv.ParseFloat(string(m[1]), 64)
	}
	var result saturatedFigures
	p := part{Role: tool, Seconds: r.figures.Seconds}
	if tool == engineRole {
		p.Profile = filepath.Join(r.dir, "engine.pprof")
	}
	err := r.play(ctx, p, &result)
	if err == nil && result.Failed > 0 {
		err = fmt.Errorf("%d operations failed", result.Failed)
	}
	r.figures.CPUPerOp[tool] = append(r.figures.CPUPerOp[tool], result.CPU)
	return result.Rate, err
}

func (r *benchRunner) saturateK6(ctx context.Context, seconds, connections string) (float64, error) {
	script, summary := filepath.Join(r.dir, "k6.js"), filepath.Join(r.dir, "k6.json")
	text := fmt.Sprintf("import http from 'k6/http';\nexport const options = {vus: %s, duration: '%s'};\nexport default function () { http.get('%s'); }\n",
		connections, seconds, r.url)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return 0, err
	}
	out, err := command(ctx, r.loadOn, "k6", "run", "--quiet", "--no-usage-report", "--summary-export", summary, script).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	var result struct {
		Metrics struct {
			Requests struct {
				Rate float64 `json:"rate"`
			} `json:"http_reqs"`
		} `json:"metrics"`
	}
	content, err := os.ReadFile(summary)
	if err == nil {
		err = json.Unmarshal(content, &result)
	}
	return result.Metrics.Requests.Rate, err
}

// ratios returns how many times faster the engine is than a tool, turn by turn:
// the two samples of a turn are a few seconds apart, so that a machine which
// changes its speed within minutes changes both.
func (f *loadFigures) ratios(tool string) []float64 {
	ours, its := f.Saturated[engineRole], f.Saturated[tool]
	of := make([]float64, min(len(ours), len(its)))
	for i := range of {
		of[i] = ours[i] / its[i]
	}
	return of
}

// median returns the middle one, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// processorName is the model of the processor.
func processorName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
