//go:build integration

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// How long PostgreSQL itself takes is read from its log, in which it is told to
// note a part of the messages it gets with their durations. pg_stat_statements
// would not do: it counts neither what a COMMIT waits for nor the parsing and
// planning that every statement costs behind a pooler in transaction mode.
const statementRatio = "0.05"

// sampleStatements has the primary begin or cease to note durations.
func (r *benchRig) sampleStatements(ctx context.Context, on bool) error {
	commands := []string{
		"ALTER SYSTEM RESET log_min_duration_sample",
		"ALTER SYSTEM RESET log_statement_sample_rate",
		"ALTER SYSTEM RESET log_parameter_max_length",
	}
	if on {
		commands = []string{
			"ALTER SYSTEM SET log_statement_sample_rate = " + statementRatio,
			"ALTER SYSTEM SET log_parameter_max_length = 0",
			"ALTER SYSTEM SET log_min_duration_sample = 0",
		}
	}
	return r.onPrimary(ctx, func(conn *pgx.Conn) error {
		for _, sql := range append(commands, "SELECT pg_reload_conf()") {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// statementTimes reads what the primary has noted.
func (r *benchRig) statementTimes(ctx context.Context) (statementTimes, error) {
	primary, err := r.st.Primary(ctx)
	if err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		copyErr := r.st.Logs(ctx, primary.Name, out)
		done <- errors.Join(copyErr, out.CloseWithError(copyErr))
	}()
	times, err := readStatementTimes(in)
	_ = in.Close() // ends the copying, if reading failed
	return times, errors.Join(err, <-done)
}

// A mean is one of many durations, in ms.
type mean struct {
	Sum float64 `json:"-"`
	N   int64   `json:"n"`
	Ms  float64 `json:"mean_ms"`
}

func (m *mean) add(ms float64) {
	m.N++
	m.Sum += ms
	m.Ms = m.Sum / float64(m.N)
}

// statementTimes are the durations of the messages of each statement, which is
// the text with single spaces: parse, bind and execute, or statement for all
// of it at once.
type statementTimes map[string]map[string]*mean

// durationLine is the beginning of a log entry with a duration. The engine has
// put a time before it.
func durationLine() *regexp.Regexp {
	return regexp.MustCompile(`LOG:  duration: ([0-9.]+) ms  (?:(statement): |(parse|bind|execute) [^:]*: )(.*)$`)
}

// readStatementTimes reads the log of a PostgreSQL server. A statement of
// several lines goes on in lines that begin with a tab.
func readStatementTimes(log io.Reader) (statementTimes, error) {
	pattern, times := durationLine(), statementTimes{}
	var (
		text    strings.Builder
		message string
		took    float64
	)
	finish := func() {
		if message != "" {
			times.add(strings.Join(strings.Fields(text.String()), " "), message, took)
		}
		message = ""
		text.Reset()
	}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, line, _ := strings.Cut(lines.Text(), " ") // behind the engine's time
		if strings.HasPrefix(line, "\t") {
			text.WriteString(line)
			continue
		}
		finish()
		found := pattern.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		var err error
		if took, err = strconv.ParseFloat(found[1], 64); err != nil {
			return nil, fmt.Errorf("read duration of %q: %w", line, err)
		}
		message = found[2] + found[3]
		text.WriteString(found[4])
	}
	finish()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return times, nil
}

func (t statementTimes) add(statement, message string, ms float64) {
	if t[statement] == nil {
		t[statement] = map[string]*mean{}
	}
	if t[statement][message] == nil {
		t[statement][message] = &mean{}
	}
	t[statement][message].add(ms)
}

// of returns how long the server takes for the statements of one round trip, on
// average, in ms. They are as spans have them: with single spaces, "; " between
// them, and cut off where they are too long. It is not ok if some statement was
// never noted.
func (t statementTimes) of(statements string) (ms float64, ok bool) {
	cut := strings.HasSuffix(statements, "...")
	rest := strings.TrimSuffix(statements, "...")
	for rest != "" {
		statement := t.first(rest, cut)
		if statement == "" {
			return 0, false
		}
		each, ok := t.each(statement)
		if !ok {
			return 0, false
		}
		ms += each
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, statement), ";")
		if strings.HasPrefix(statement, rest) {
			break // it was the one that is cut off
		}
		rest = strings.TrimPrefix(rest, " ")
	}
	return ms, true
}

// each returns how long one execution of a statement takes with the messages that
// come with it. Not each has all of them: a statement that is prepared already is
// not parsed again. All are noted at the same ratio, so their sum over the number
// of executions is what one takes.
func (t statementTimes) each(statement string) (ms float64, ok bool) {
	executions := int64(0)
	for message, m := range t[statement] {
		ms += m.Sum
		if message == "execute" || message == "statement" {
			executions += m.N
		}
	}
	return ms / float64(max(1, executions)), executions > 0
}

// first returns the statement with which a list begins, the longest that fits,
// or "". If the list is cut off, so may be the only statement in it.
func (t statementTimes) first(list string, cut bool) string {
	var fits []string
	for statement := range t {
		if list == statement || strings.HasPrefix(list, statement+";") || cut && strings.HasPrefix(statement, list) {
			fits = append(fits, statement)
		}
	}
	if len(fits) == 0 {
		return ""
	}
	return slices.MaxFunc(fits, func(a, b string) int { return len(a) - len(b) })
}
