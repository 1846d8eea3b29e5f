package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// How long a command and a request may take that do not say it themselves.
const (
	commandTimeout = time.Minute
	requestTimeout = 10 * time.Second
)

// LongestRequest is how long a request may take at most, whatever it says itself.
const LongestRequest = time.Hour

// maxSaid is how many characters are kept of what a command or an answer says.
const maxSaid = 200

// command runs a command inside the nodes that an entry names, one after another.
// One that is not over in time is killed where it runs, also if nobody here is left
// to do it.
func (t *timeline) command(ctx context.Context, s plan.Step) error {
	executor, ok := t.rig.Env.(sut.Executor)
	if !ok {
		return t.fail(s, "carry out", sut.ErrUnsupported)
	}
	nodes, err := t.targets.Nodes(ctx, s.Params.Target)
	limit := cmp.Or(s.Entry.For, commandTimeout)
	var said []string
	for i := 0; err == nil && i < len(nodes); i++ {
		node := nodes[i].Name
		t.asked(s, node)
		var output string
		output, err = execWithin(ctx, executor, node, limit, s.Text)
		if err == nil {
			t.noteTarget(s, history.FaultInjected, node)
			said = append(said, strings.TrimSpace(node+" says "+brief(output)))
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // cut short by the end of the drill: it is not seen to be done
	case err != nil:
		return t.fail(s, "carry out", err)
	}
	t.note(s, history.FaultSettled, history.OK, strings.Join(said, "; "))
	return nil
}

// execWithin runs a command of a shell inside a node and kills it after a time.
func execWithin(ctx context.Context, executor sut.Executor, node string, limit time.Duration, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+giveUpTimeout)
	defer cancel()
	seconds := strconv.FormatFloat(limit.Seconds(), 'f', -1, 64)
	return executor.NodeExec(ctx, node, nil, "timeout", "--kill-after=1", seconds, "sh", "-c", command)
}

// request sends what an entry says to the entry point of the system, or to a node
// on a path that no fault touches.
func (t *timeline) request(ctx context.Context, s plan.Step) error {
	base, where, err := t.addressee(ctx, s)
	if cutShort(ctx, err) {
		return nil
	}
	if err != nil {
		return t.fail(s, "carry out", err)
	}
	t.asked(s, where)
	said, err := t.rig.send(ctx, base, s)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // cut short by the end of the drill: it is not seen to be done
	}
	if err != nil {
		return t.fail(s, "carry out", err)
	}
	t.noteTarget(s, history.FaultInjected, where)
	t.note(s, history.FaultSettled, history.OK, said)
	return nil
}

// addressee finds out who a request is for: its base address, and what it is
// called.
func (t *timeline) addressee(ctx context.Context, s plan.Step) (base, where string, err error) {
	endpoint, where := "api", t.rig.Env.Topology().Name
	if s.Params.Target.Ref != "" {
		nodes, err := t.targets.Nodes(ctx, s.Params.Target)
		if err == nil && len(nodes) != 1 {
			err = fmt.Errorf("%s is %d nodes, want one", s.Entry.Target, len(nodes))
		}
		if err != nil {
			return "", "", err
		}
		where = nodes[0].Name
		endpoint = "http/" + where
	}
	base, ok := t.rig.Env.Endpoint(endpoint)
	if !ok {
		return "", "", fmt.Errorf("find %s: it has no address of its own: %w", where, sut.ErrUnsupported)
	}
	return strings.TrimRight(base, "/"), where, nil
}

// send sends the request of a step and says how it was answered. It is an error
// if it was not answered as the step wants.
func (r *Rig) send(ctx context.Context, base string, s plan.Step) (string, error) {
	limit := cmp.Or(s.Entry.For, requestTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not answered within %s", limit))
	defer cancel()
	method, path, _ := strings.Cut(s.Text, " ")
	values := s.Params.Values
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(values[scenarios.WithBody]))
	if err != nil {
		return "", fmt.Errorf("make the request: %w", err)
	}
	if values[scenarios.WithBody] != "" {
		req.Header.Set("Content-Type", cmp.Or(values[scenarios.WithType], "application/json"))
	}
	for name, text := range s.Headers {
		value, revealErr := scenarios.Reveal(text, r.Secret)
		if revealErr != nil {
			return "", fmt.Errorf("make the request: %w", revealErr)
		}
		req.Header.Set(name, value)
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		if refused, ok := errors.AsType[*url.Error](err); ok {
			err = refused.Err // without the address, which s.Text has
		}
		return "", fmt.Errorf("%s: %w", s.Text, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSaid*4))
	if err != nil {
		return "", fmt.Errorf("%s: read the answer: %w", s.Text, err)
	}
	said := strings.TrimSpace(fmt.Sprintf("answered %d %s", resp.StatusCode, brief(string(body))))
	want := values[scenarios.WithStatus]
	if want == "" && resp.StatusCode/100 != 2 || want != "" && want != strconv.Itoa(resp.StatusCode) {
		return "", fmt.Errorf("%s: %s, want %s", s.Text, said, cmp.Or(want, "2xx"))
	}
	return said, nil
}

// asked records that what an entry says is carried out somewhere, also in the
// audit log.
func (t *timeline) asked(s plan.Step, where string) {
	e := t.event(s, history.FaultInject)
	e.Target, e.Text = where, s.Text
	t.rig.Recorder.Record(e)
	t.rig.Journal.Note(s.Verb, where, s.Text)
}

// brief is the beginning of a text on one line.
func brief(text string) string {
	all := []rune(strings.Join(strings.Fields(text), " "))
	if len(all) > maxSaid {
		return string(all[:maxSaid]) + "..."
	}
	return string(all)
}
