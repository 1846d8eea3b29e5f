//go:build integration

package loadgen

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// save writes the raw figures and the profile of the engine, and says where.
func (r *benchRunner) save(w io.Writer) error {
	content, err := json.MarshalIndent(r.figures, "", "  ")
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Join("..", ".proofload", "bench"))
	if err != nil {
		return err
	}
	err = os.MkdirAll(dir, 0o750)
	if err != nil {
		return err
	}
	base := filepath.Join(dir, "load-"+r.figures.At.Format("20060102-150405"))
	err = os.WriteFile(base+".json", append(content, '\n'), 0o600)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nraw figures: %s.json\n", base)
	profile, err := os.ReadFile(filepath.Join(r.dir, "engine.pprof"))
	if err != nil {
		return nil //nolint:nilerr // there was no sample of the engine
	}
	if err := os.WriteFile(base+".pprof", profile, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(w, "profile of the engine, saturated: %s.pprof\n", base)
	r.where(w, base+".pprof")
	return nil
}

// where prints what part of the engine's time is spent where, if there is a Go
// toolchain to tell.
func (r *benchRunner) where(w io.Writer, profile string) {
	out, err := exec.Command("go", "tool", "pprof", "-top", "-cum", "-nodecount=400", profile).Output() //nolint:noctx // reads one file
	if err != nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		for _, of := range []string{
			"lib.(*Attacker).hit", "lib.(*Attacker).Attack.func", "loadgen.(*engine).perform", "loadgen.(*http1).exchange",
			"history.(*Recorder).Record", "loadgen.(*pacer).Pace", "internal/runtime/syscall.Syscall6", "runtime.schedule", "runtime.gcBgMarkWorker",
		} {
			if strings.Contains(line, of) && !strings.Contains(line, of+".") {
				fmt.Fprint(w, "  ", line)
			}
		}
	}
}

func (f *openFigures) print(w io.Writer, where string) {
	s := &f.Stats
	fmt.Fprintf(w, "  %s: send lag p50 %.3f ms, p99 %.3f ms, max %.3f ms; %.3f %% of the arrivals sent; %d shed\n",
		where, s.LagP50, s.LagP99, s.LagMax, f.Achieved, s.Shed)
}

// spread is how many times faster the engine is than a tool: the median of the
// turns, the least and the most.
func (f *loadFigures) spread(tool string) string {
	of := f.ratios(tool)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(of), slices.Min(of), slices.Max(of))
}

// micros is a median in µs, empty of none.
func micros(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f µs", median(values))
}

func (f *loadFigures) print(w io.Writer) {
	pinned := "one core each"
	if !f.Pinned {
		pinned = "NOT bound to cores: there is no taskset, or only one core"
	}
	fmt.Fprintf(w, "\n%s, %d CPUs, %s; %s; 60-byte answers\n", f.CPU, f.CPUs, f.Go, pinned)
	fmt.Fprintf(w, "the engine has history, histograms, tags and journal on; three of ten operations are journalled as writes\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "saturated with %d connections\tmedian of %d\tengine / it, in turns\tprocessor an operation\t\n", f.Connections, len(f.Saturated[engineRole]))
	for _, tool := range []string{engineRole, vegetaRole, k6Tool, wrkTool} {
		if rates := f.Saturated[tool]; len(rates) > 0 {
			fmt.Fprintf(t, "%s\t%.0f/s\t%s\t%s\t\n", tool, median(rates), f.spread(tool), micros(f.CPUPerOp[tool]))
		}
	}
	_ = t.Flush() // w takes all
	for _, tool := range f.Missing {
		fmt.Fprintf(w, "%s is not installed\n", tool)
	}
	fmt.Fprintf(w, "\nat %.0f/s, half of that, open model:\n", f.Half.Rate)
	f.Half.print(w, "on one core")
	f.HalfAll.print(w, fmt.Sprintf("on all %d, as a run", f.CPUs))
	h := &f.History
	fmt.Fprintf(w, "history: %.2f µs and %.1f bytes on disk an operation (%.0f %% writes), %.2f million events/s read back\n",
		h.NanosPerOp/1e3, h.BytesPerOp, 100*h.WriteShare, h.ReadPerS/1e6)
	fmt.Fprintf(w, "in flight: %.1f KB an operation, of %d\n", f.InFlight.Bytes/1e3, f.InFlight.Operations)
	k := &f.Soak
	fmt.Fprintf(w, "soak: %.0f/s for %.0f s, %d completed of %d: resident %.1f MB in the first %.0f s, %.1f MB in the last (%+.1f %%), at most %.1f MB; send lag p99 %.3f ms\n",
		k.Rate, k.Seconds, k.Stats.Completed, k.Stats.Planned, k.First/1e6, k.Window, k.Last/1e6, 100*(k.Last/k.First-1), k.Most/1e6, k.Stats.LagP99)
}
