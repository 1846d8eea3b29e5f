package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// postgresRows are the faults of the database and of its pooler. Their probes
// are clients: most go the way of the service, through the pooler.
func postgresRows(s *stack.Stack) []chaostest.Row {
	const (
		primary = "postgres.primary"
		write   = "insert into conformance values (1)"
	)
	rows := []chaostest.Row{
		{Kind: "pg-terminate", Target: primary, Values: []string{"every=100ms"}, Probe: pooled(s, "select pg_sleep(0.4)")},
		{Kind: "pg-exhaust-connections", Target: primary, Probe: login(s), Lasts: 10 * time.Second},
		{Kind: "pg-lock-table", Target: primary, Values: []string{"table=transfers"}, Probe: pooled(s, "select count(*) from transfers")},
		{Kind: "pg-slow-queries", Target: primary, Values: []string{"table=transfers", "delay=2s"}, Probe: pooled(s, "select count(*) from transfers"), Lasts: 8 * time.Second},
		{Kind: "pg-idle-in-transaction", Target: primary, Values: []string{"table=accounts"}, Probe: pooled(s, "select from accounts limit 1 for update nowait")},
		{Kind: "pg-fill-slot", Target: primary, Probe: answered(s, `select max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)) > 32 * 1024 * 1024 from pg_replication_slots`)},
		{Kind: "pg-checkpoint-storm", Target: primary, Values: []string{"every=100ms"}, Probe: checkpoints(s)},
		{Kind: "pg-pause-replay", Target: "postgres.replica[1]", Probe: stale(s)},
		{Kind: "pg-read-only", Target: primary, Probe: pooled(s, write)},
		{Kind: "pg-sync-standby-missing", Target: primary, Probe: pooled(s, write)},
		{Kind: "pg-slow-commits", Target: primary, Probe: pooled(s, write, write, write, write, write, write, write, write, write)},
		{Kind: "pg-fail-archiving", Target: primary, Probe: answered(s, `select exists (select from pg_ls_archive_statusdir() where name like '%.ready')`)},
		{Kind: "pgbouncer-pause", Target: "pgbouncer", Probe: pooled(s, "select 1")},
		{Kind: "pgbouncer-kill", Target: "pgbouncer", Probe: pooled(s, "select 1")},
		{Kind: "pgbouncer-disable", Target: "pgbouncer", Probe: pooled(s, "select 1")},
		{Kind: "pgbouncer-shrink-pool", Target: "pgbouncer", Probe: crowd(s, 12)},
		// Its clients are without a primary for a moment.
		{Kind: "pg-switchover", Target: primary, Probe: pooled(s, write), Lasts: 8 * time.Second},
	}
	for i := range rows {
		rows[i].Family = "database"
		if rows[i].Lasts == 0 {
			rows[i].Lasts = 3 * time.Second
		}
	}
	return rows
}

// query runs statements one after the other on a connection of its own, as an
// impatient client, and returns the first column of the last.
func query(ctx context.Context, s *stack.Stack, endpoint, user string, statements ...string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	address, ok := s.Endpoint(endpoint)
	if !ok {
		return nil, fmt.Errorf("no endpoint %s", endpoint)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if user != "" {
		config.User = user
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }() // all was read
	var answer any
	for _, q := range statements {
		rows, err := conn.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			values, valuesErr := rows.Values()
			if valuesErr == nil && len(values) > 0 {
				answer = values[0]
			}
		}
		err = rows.Err()
		if err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// throughPooler is the way of the service to the database.
const throughPooler = "postgres/pgbouncer"

// pooled is a probe that finds the database broken if statements of the service
// fail or take long. They may use the table conformance.
func pooled(s *stack.Stack, statements ...string) chaostest.Probe {
	there := false
	return func(ctx context.Context) (bool, error) {
		if !there {
			if _, err := query(ctx, s, throughPooler, "", "create table if not exists conformance (n bigint)"); err != nil {
				return false, err
			}
			there = true
		}
		_, err := query(ctx, s, throughPooler, "", statements...)
		return err != nil, context.Cause(ctx)
	}
}

// onPrimary is the way to the primary that no fault touches.
func onPrimary(ctx context.Context, s *stack.Stack) (string, error) {
	node, err := s.Primary(ctx)
	return "postgres/" + node.Name, err
}

// login is a probe that finds the primary broken if the service cannot log in.
func login(s *stack.Stack) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		endpoint, err := onPrimary(ctx, s)
		if err != nil {
			return false, err
		}
		_, err = query(ctx, s, endpoint, "ledger", "select 1")
		return err != nil, context.Cause(ctx)
	}
}

// answered is a probe that finds the primary broken if somebody who watches over
// it is answered true.
func answered(s *stack.Stack, question string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		endpoint, err := onPrimary(ctx, s)
		if err != nil {
			return false, err
		}
		answer, err := query(ctx, s, endpoint, "", question)
		return answer == true, err
	}
}

// checkpoints is a probe that finds the primary broken if it writes a checkpoint
// at a time when none is due.
func checkpoints(s *stack.Stack) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		endpoint, err := onPrimary(ctx, s)
		if err != nil {
			return false, err
		}
		const count = "select checkpoints_req from pg_stat_bgwriter"
		before, err := query(ctx, s, endpoint, "", count)
		if err != nil {
			return false, err
		}
		after, err := query(ctx, s, endpoint, "", "select pg_sleep(0.4)", count)
		return after != before, err
	}
}

// stale is a probe that finds the first replica broken if it does not show soon
// what was written.
func stale(s *stack.Stack) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		primary, err := s.Primary(ctx)
		if err != nil {
			return false, err
		}
		written, err := query(ctx, s, throughPooler, "",
			"create table if not exists conformance_reads (at timestamptz)",
			"insert into conformance_reads values (clock_timestamp()) returning at::text")
		if err != nil {
			return false, err
		}
		var replica string
		for _, n := range s.Topology().ByRole(sut.RoleDatabase) {
			if n.Name != primary.Name && replica == "" {
				replica = "postgres/" + n.Name
			}
		}
		soon, cancel := context.WithTimeout(ctx, probePatience)
		defer cancel()
		err = chaos.Watch(soon, func(ctx context.Context) error {
			seen, readErr := query(ctx, s, replica, "", "select max(at)::text from conformance_reads")
			if readErr == nil && seen != written {
				readErr = errors.New("the replica is behind")
			}
			return readErr
		})
		return err != nil, context.Cause(ctx)
	}
}

// crowd is a probe that finds the pooler broken if so many clients cannot be
// served at the same time. So many that, one after the other, the last is served
// long after its patience has ended.
func crowd(s *stack.Stack, clients int) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		err := chaos.Each(make([]struct{}, clients), func(struct{}) error {
			_, err := query(ctx, s, throughPooler, "", "select pg_sleep(0.4)")
			return err
		})
		return err != nil, context.Cause(ctx)
	}
}
