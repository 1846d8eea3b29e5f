package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/format"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/run"
)

// What to do at a gate.
const (
	gatesAuto = "auto"
	gatesWait = "wait"
	gatesYes  = "yes"
)

// The files by which a run asks, and is answered from another process.
const (
	fileGate   = "gate.json"
	fileAnswer = "gate-answer.json"
)

// gatePoll is how often the answer of another process is looked for.
const gatePoll = 200 * time.Millisecond

// A gateFile is an open gate, or the answer to it.
type gateFile struct {
	ID    string `json:"id"`
	Drill int    `json:"drill"`
	Text  string `json:"text,omitempty"`
	GoOn  bool   `json:"go_on,omitempty"`
	By    string `json:"by,omitempty"`
}

// A desk is where the page answers an open gate of this process.
type desk struct {
	mu   sync.Mutex
	open map[string]chan run.Answer // one at most
}

// ask opens a gate at the desk. The returned function closes it.
func (d *desk) ask(id string) (answers <-chan run.Answer, closeGate func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[string]chan run.Answer{}
	}
	c := make(chan run.Answer, 1)
	d.open[id] = c
	return c, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.open, id)
	}
}

// answer answers an open gate from the live page.
func (d *desk) answer(id string, goOn bool) error {
	return d.settle(id, run.Answer{GoOn: goOn, By: "the live page"})
}

// which is the gate that is open, if one is.
func (d *desk) which() (id string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.open {
		return id, true
	}
	return "", false
}

// settle answers an open gate; the first answer counts.
func (d *desk) settle(id string, answer run.Answer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.open[id]
	if !ok {
		return fmt.Errorf("%s is not open any more", id)
	}
	select {
	case c <- answer:
		return nil
	default:
		return fmt.Errorf("%s is answered already", id)
	}
}

// answerAll answers what is open, which is one gate at most. Where none is, or it
// is answered already, nothing happens.
func (d *desk) answerAll(answer run.Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.open {
		select {
		case c <- answer:
		default:
		}
	}
}

// takeAnswers lets gates be answered by what is typed, until that ends. What is
// typed while no gate is open answers none.
func (a *app) takeAnswers(typed io.Reader) {
	for lines := bufio.NewScanner(typed); lines.Scan(); {
		switch strings.ToLower(strings.TrimSpace(lines.Text())) {
		case "y", "yes":
			a.desk.answerAll(run.Answer{GoOn: true, By: a.who()})
		case "n", "no":
			a.desk.answerAll(run.Answer{By: a.who()})
		}
	}
}

// listenToKeys lets runs that show the panel be led by single keys, and the gates
// of others by what is typed, if there is a terminal. Stop ends the runs.
func (a *app) listenToKeys(list []*scenarios.Scenario, flags runFlags, stop func()) (end func()) {
	if a.terminal != nil && a.redraws(flags.progress) {
		a.console = &console{desk: &a.desk, who: a.who(), stop: stop}
		restore, err := a.terminal.open(a.console.press)
		if err == nil {
			return restore
		}
		a.console = nil
		fmt.Fprintln(a.stderr, "proofload: "+err.Error())
	}
	if flags.gates != gatesYes {
		a.typing(list)
	}
	return func() {}
}

// typing lets gates of scenarios be answered at the terminal, if there are gates
// and a terminal. It reads on until the process ends.
func (a *app) typing(list []*scenarios.Scenario) {
	gated := slices.ContainsFunc(list, func(sc *scenarios.Scenario) bool {
		return slices.ContainsFunc(sc.Timeline, func(e scenarios.Event) bool { return e.Verb == scenarios.VerbGate })
	})
	if gated && a.typed != nil {
		go a.takeAnswers(a.typed)
	}
}

// attended refuses to begin a run with gates where nobody could answer them.
func (a *app) attended(p *planned, flags runFlags) error {
	timeline := p.Scenario.Timeline
	i := slices.IndexFunc(timeline, func(e scenarios.Event) bool { return e.Verb == scenarios.VerbGate })
	if i < 0 || flags.gates != gatesAuto || flags.ui != "" || a.stderrTTY {
		return nil
	}
	return exit(reports.ExitUsage, problemAt(p.Scenario, timeline[i].VerbPos, scenarios.VerbGate,
		"there is a gate, and nobody looks on who could answer", "use --ui, or --gates wait or yes"))
}

// ask asks whether to go on: on the page, and whoever calls proofload approve.
func (s *session) ask(ctx context.Context, g run.Gate) (run.Answer, error) {
	if s.flags.gates == gatesYes {
		return run.Answer{GoOn: true, By: "--gates yes"}, nil
	}
	answers, closeGate := s.app.desk.ask(g.ID)
	defer closeGate()
	question, err := json.Marshal(gateFile{ID: g.ID, Drill: g.Drill, Text: g.Text})
	if err != nil {
		return run.Answer{}, fmt.Errorf("ask %s: %w", g.ID, err)
	}
	defer os.Remove(s.dir.File(fileGate))   //nolint:errcheck // there may be none
	defer os.Remove(s.dir.File(fileAnswer)) //nolint:errcheck // the same
	err = s.dir.Write(fileGate, question)
	if err != nil {
		return run.Answer{}, err
	}
	s.page.ask(html.Question{ID: g.ID, Text: g.Text, Until: "Without an answer within " + format.Duration(float64(g.For.Milliseconds())) + " the run is stopped."})
	defer s.page.ask()
	how := fmt.Sprintf("proofload approve %s, or with --no, within %s", s.manifest.Run, scenarios.FormatDuration(g.For))
	switch {
	case s.app.console != nil:
		how = "press g, or " + how
	case s.app.typed != nil:
		how = "type yes or no, or " + how
	}
	s.say(fmt.Sprintf("%s: %s  %s", g.ID, g.Text, how))
	answer, err := s.await(ctx, g, answers)
	if err == nil && answer.GoOn {
		s.say(fmt.Sprintf("%s: passed by %s", g.ID, answer.By))
	}
	return answer, err
}

// await waits for the answer to an open gate, at the desk or in a file.
func (s *session) await(ctx context.Context, g run.Gate, answers <-chan run.Answer) (run.Answer, error) {
	tick := time.NewTicker(gatePoll)
	defer tick.Stop()
	for {
		select {
		case answer := <-answers:
			return answer, nil
		case <-tick.C:
			if answer, ok := readGate(s.dir, fileAnswer); ok && answer.ID == g.ID && answer.Drill == g.Drill {
				return run.Answer{GoOn: answer.GoOn, By: answer.By}, nil
			}
		case <-ctx.Done():
			return run.Answer{}, ctx.Err()
		}
	}
}

// readGate reads a question or an answer, if there is one.
func readGate(dir reports.Directory, file string) (gateFile, bool) {
	data, err := os.ReadFile(dir.File(file))
	var g gateFile
	return g, err == nil && json.Unmarshal(data, &g) == nil
}

func (a *app) approveCommand() *cobra.Command {
	refuse := false
	cmd := &cobra.Command{
		Use:   "approve [RUN]",
		Short: "Answer the gate that a run waits at",
		Long: `Lets a run that waits at a gate go on, or with --no stops it: it then mends what it
broke and writes its report, exit 5. Without a name it is the latest run.`,
		Example: "  proofload approve\n  proofload approve latest --no",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := reports.Latest
			if len(args) > 0 {
				name = args[0]
			}
			return a.approve(name, !refuse)
		},
	}
	cmd.Flags().BoolVar(&refuse, "no", false, "stop the run instead")
	return cmd
}

// approve answers the open gate of a run of another process.
func (a *app) approve(name string, goOn bool) error {
	dir, err := findRun(name)
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	g, ok := readGate(dir, fileGate)
	if !ok {
		return exit(reports.ExitUsage, fmt.Errorf("run %s does not wait at a gate", name))
	}
	if _, err = os.Stat(dir.File(fileAnswer)); !errors.Is(err, fs.ErrNotExist) {
		return exit(reports.ExitUsage, fmt.Errorf("%s is answered already", g.ID))
	}
	answer, err := json.Marshal(gateFile{ID: g.ID, Drill: g.Drill, GoOn: goOn, By: a.who()})
	if err != nil {
		return fmt.Errorf("answer %s: %w", g.ID, err)
	}
	if err := dir.Write(fileAnswer, answer); err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	word := "passed"
	if !goOn {
		word = "refused"
	}
	fmt.Fprintf(a.stdout, "%s %s: %s\n", g.ID, word, g.Text)
	return nil
}
