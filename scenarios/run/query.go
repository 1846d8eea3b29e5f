package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

const (
	queryTimeout = 30 * time.Second // of one query
	maxAnswer    = 200              // characters that are kept of an answer
)

// ask asks the databases what the checks of the scenario want to know, and records
// what they answer. The judge decides what to make of it.
func (t *timeline) ask(ctx context.Context, queries []plan.Query) {
	for _, q := range queries {
		e := history.Event{Kind: history.Info, By: history.ByAudit, Op: history.AuditQuery, ID: q.Name, Drill: t.drill.N}
		var err error
		if e.Node, e.Text, err = t.answer(ctx, q); err != nil {
			e.Kind, e.Text = history.Fail, err.Error()
		}
		t.rig.Recorder.Record(e)
	}
}

// answer returns the one value that a query gives, and which node said so.
func (t *timeline) answer(ctx context.Context, q plan.Query) (node, value string, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	nodes, err := t.targets.Nodes(ctx, q.Target)
	if err == nil && len(nodes) != 1 {
		err = fmt.Errorf("%s is %d nodes, want one", q.On, len(nodes))
	}
	if err != nil {
		return "", "", err
	}
	node = nodes[0].Name
	value, err = valueOf(ctx, t.rig.Env, node, q.SQL)
	if text := []rune(value); len(text) > maxAnswer {
		value = string(text[:maxAnswer]) + "..."
	}
	return node, value, err
}

// valueOf asks a database node for one value, in a transaction that is read-only.
func valueOf(ctx context.Context, env sut.Environment, node, query string) (string, error) {
	results, err := execSQL(ctx, env, node, query, map[string]string{"default_transaction_read_only": "on"})
	if err != nil {
		return "", err
	}
	if len(results) != 1 {
		return "", fmt.Errorf("it is %d statements, want one", len(results))
	}
	return single(results[0])
}

// single returns the value of a result that has one.
func single(r *pgconn.Result) (string, error) {
	if len(r.FieldDescriptions) == 0 {
		return "", errors.New("it asks for nothing: want SELECT")
	}
	if len(r.Rows) != 1 || len(r.FieldDescriptions) != 1 {
		return "", fmt.Errorf("it gives %d rows of %d columns, want one value", len(r.Rows), len(r.FieldDescriptions))
	}
	switch value := r.Rows[0][0]; {
	case value == nil:
		return "null", nil
	case r.FieldDescriptions[0].DataTypeOID == pgtype.BoolOID:
		return map[string]string{"t": "true", "f": "false"}[string(value)], nil
	default:
		return string(value), nil
	}
}
