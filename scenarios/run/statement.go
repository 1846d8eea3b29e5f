package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// The bounds on a statement: on the connection that it gets, and on how long it
// may go on once the drill is over and its cancellation was asked for.
const (
	connectTimeout = 5 * time.Second
	giveUpTimeout  = 5 * time.Second
)

// statement carries out what an entry says on the database node that it names,
// on a path that no fault touches. It began at the inject event, whose text it
// is, and is seen to be done when the database says so.
func (t *timeline) statement(ctx context.Context, s plan.Step) error {
	nodes, err := t.targets.Nodes(ctx, s.Params.Target)
	switch {
	case cutShort(ctx, err):
		return nil
	case err == nil && len(nodes) != 1:
		err = fmt.Errorf("%s is %d nodes, want one", s.Entry.Target, len(nodes))
	}
	if err != nil {
		return t.fail(s, "carry out", err)
	}
	t.asked(s, nodes[0].Name)
	said, err := carryOutSQL(ctx, t.rig.Env, nodes[0].Name, s.Text)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // cut short by the end of the drill: it is not seen to be done
	}
	if err != nil {
		return t.fail(s, "carry out", err)
	}
	t.noteTarget(s, history.FaultInjected, nodes[0].Name)
	t.note(s, history.FaultSettled, history.OK, nodes[0].Name+" says "+said)
	return nil
}

// carryOutSQL carries out statements on a database node, one after another, and
// returns what the database says of each.
func carryOutSQL(ctx context.Context, env sut.Environment, node, statements string) (said string, err error) {
	results, err := execSQL(ctx, env, node, statements, nil)
	var tags []string
	for _, r := range results {
		tags = append(tags, r.CommandTag.String())
	}
	return strings.Join(tags, ", "), err
}

// execSQL carries out statements on a database node, one after another, with those
// settings. When ctx is done, the database is asked to cancel the one under way.
func execSQL(ctx context.Context, env sut.Environment, node, statements string, settings map[string]string) (results []*pgconn.Result, err error) {
	url, ok := env.Endpoint("postgres/" + node)
	if !ok {
		return nil, fmt.Errorf("connect to %s: %w", node, sut.ErrUnsupported)
	}
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", node, err)
	}
	maps.Copy(cfg.RuntimeParams, settings)
	cfg.ConnectTimeout, cfg.RuntimeParams["application_name"] = connectTimeout, "proofload"
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: giveUpTimeout}
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", node, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTimeout)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	if results, err = conn.Exec(ctx, statements).ReadAll(); err != nil {
		return nil, fmt.Errorf("on %s: %w", node, err)
	}
	return results, nil
}
