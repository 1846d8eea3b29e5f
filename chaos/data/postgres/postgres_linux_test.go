package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

const node = "pg-1"

// A server is an environment of one PostgreSQL server on this machine.
type server struct{ dir string }

// Topology implements [sut.Environment].
func (server) Topology() sut.Topology {
	return sut.Topology{Name: "local", Nodes: []sut.Node{{Name: node, Role: sut.RoleDatabase}}}
}

// Endpoint implements [sut.Environment]; there is none.
func (server) Endpoint(string) (string, bool) { return "", false }

// Close implements [sut.Environment].
func (server) Close(context.Context) error { return nil }

// NodeExec implements [sut.Executor].
func (s server) NodeExec(ctx context.Context, _ string, variables []string, argv ...string) (string, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = slices.Concat(os.Environ(), variables, []string{"PGHOST=" + s.dir})
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

// sql runs statements as a role, for as long as a client would wait.
func (s server) sql(ctx context.Context, role string, statements ...string) (string, error) {
	argv := []string{"timeout", "-s", "INT", "0.7", "psql", "-XqAtw", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", "ledger"}
	for _, q := range statements {
		argv = append(argv, "-c", q)
	}
	out, err := s.NodeExec(ctx, node, nil, argv...)
	return strings.TrimSpace(out), err
}

// fails is a probe that runs statements of the application and finds the server
// broken if one fails, for whatever reason, or says what it must not say.
func (s server) fails(statements ...string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		out, err := s.sql(ctx, "ledger", statements...)
		return err != nil || strings.Contains(out, "canceling"), ctx.Err()
	}
}

// says is a probe that finds the server broken if a query is answered so.
func (s server) says(broken, query string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		out, err := s.sql(ctx, "postgres", query)
		return out == broken, err
	}
}

// newServer starts a server with a table, or skips the test where there is no
// PostgreSQL.
func newServer(t *testing.T, more ...string) server {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, b := range bins {
		t.Setenv("PATH", b+":"+os.Getenv("PATH"))
	}
	if _, err := exec.LookPath("initdb"); err != nil {
		t.Skipf("needs PostgreSQL on this machine: %v", err)
	}
	dir, err := os.MkdirTemp("/tmp", "proofload-pg-") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	credential := nobody(t, dir)
	run := func(argv ...string) *exec.Cmd {
		c := exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
		c.Dir, c.SysProcAttr = dir, &syscall.SysProcAttr{Credential: credential}
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "--no-sync", "-D", data, "-U", "postgres", "-A", "trust").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const settings = "listen_addresses = ''\nmax_connections = 20\narchive_mode = on\narchive_command = 'true'\n"
	if err := os.WriteFile(filepath.Join(data, "postgresql.conf"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c := run(append([]string{"postgres", "-D", data, "-k", dir}, more...)...)
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGQUIT) // it may have ended
		_ = c.Wait()                          // says by what it was ended
	})
	s := server{dir}
	s.await(t, func(ctx context.Context) error {
		_, err := s.NodeExec(ctx, node, nil, "psql", "-XqAtw", "-U", "postgres", "-c", "create role ledger login", "-c", "create database ledger owner ledger")
		return err
	})
	if _, err := s.sql(t.Context(), "ledger", "create table transfers (id int)", "insert into transfers select generate_series(1, 1000)"); err != nil {
		t.Fatal(err)
	}
	return s
}

// nobody gives a directory to a user who is not root, as whom a server refuses
// to run, and returns who that is: nil if nobody has to be.
func nobody(t *testing.T, dir string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("needs a user who is not root: %v", err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid))); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// await wants something to be so within a minute.
func (s server) await(t *testing.T, look func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := chaos.Watch(ctx, look); err != nil {
		t.Fatal(err)
	}
}

func (s server) params(values map[string]string, last time.Duration) chaos.Params {
	return chaos.Params{Target: sut.Selection{Ref: node, Nodes: s.Topology().Nodes}, For: last, Values: values}
}

func kind(t *testing.T, name string) chaos.Kind {
	t.Helper()
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k chaos.Kind) bool { return k.Name == name })
	if i < 0 {
		t.Fatalf("no kind %s", name)
	}
	return kinds[i]
}

// A row is a fault of the tests, and a probe for it.
type row struct {
	kind   string
	values map[string]string
	probe  chaostest.Probe
}

func rows(s server) []row {
	table := map[string]string{"table": "transfers"}
	return []row{
		{"pg-terminate", map[string]string{"every": "100ms"}, s.fails("select pg_sleep(0.3)")},
		{"pg-exhaust-connections", nil, s.fails("select 1")},
		{"pg-lock-table", table, s.fails("select count(*) from transfers")},
		{"pg-idle-in-transaction", table, s.fails("update transfers set id = id")},
		{"pg-fill-slot", map[string]string{"size": "1MiB"}, s.says("1", "select count(*) from pg_replication_slots")},
		{"pg-read-only", nil, s.fails("insert into transfers values (0)")},
		{"pg-sync-standby-missing", nil, s.fails("insert into transfers values (0)")},
		{"pg-fail-archiving", nil, s.says("t", "select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) from pg_stat_archiver")},
	}
}

// TestServer takes the faults of a server through their life on one.
func TestServer(t *testing.T) {
	s := newServer(t)
	for _, r := range rows(s) {
		t.Run(r.kind, func(t *testing.T) {
			if _, err := exec.CommandContext(t.Context(), "python3", "-c", "import psycopg2").Output(); err != nil && r.kind == "pg-exhaust-connections" {
				t.Skipf("needs psycopg2: %v", err)
			}
			chaostest.TestFault(t, s, kind(t, r.kind), s.params(r.values, time.Minute), r.probe)
		})
	}
}

// TestLockThatNobodyMeets wants a lock to be idle until somebody else than the probe
// waits for the table.
func TestLockThatNobodyMeets(t *testing.T) {
	s := newServer(t)
	p := chaos.Params{Target: sut.Selection{Ref: node, Nodes: s.Topology().Nodes}, For: time.Minute, Values: map[string]string{"table": "transfers"}}
	f, err := chaos.NewCatalog(Kinds()).New("pg-lock-table", s, chaos.NewTargets(s), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	in, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recoverErr := in.Recover(context.WithoutCancel(t.Context())); recoverErr != nil {
			t.Error(recoverErr)
		}
	}()
	seen, err := in.Settle(t.Context())
	if err != nil || !seen.Idle || !strings.Contains(seen.Saw, "0 clients wait for transfers") {
		t.Errorf("nobody asks for it: %+v, %v, want it to be idle", seen, err)
	}
	client := exec.CommandContext(t.Context(), "psql", "-XqAtw", "-h", s.dir, "-U", "ledger", "-d", "ledger", "-c", "select from transfers")
	if err = client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = client.Process.Kill() // if it waits still
		_ = client.Wait()
	}()
	s.await(t, func(ctx context.Context) error {
		if seen, err = in.Settle(ctx); err == nil && seen.Idle {
			err = errors.New("idle: " + seen.Saw)
		}
		return err
	})
	if !strings.Contains(seen.Saw, "1 clients wait for transfers") {
		t.Errorf("a client waits: %+v", seen)
	}
}

// TestEndsByItself injects faults and forgets them.
func TestEndsByItself(t *testing.T) {
	s := newServer(t)
	for _, r := range rows(s) {
		if r.kind != "pg-lock-table" && r.kind != "pg-read-only" {
			continue
		}
		s.forget(t, r)
	}
	s.await(t, func(ctx context.Context) error {
		_, err := s.sql(ctx, "ledger", "insert into transfers values (0)")
		return err
	})
}

// forget injects a fault for a second and does not undo it.
func (s server) forget(t *testing.T, r row) {
	t.Helper()
	fault, err := kind(t, r.kind).New(s, chaos.NewTargets(s), s.params(r.values, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = fault.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	in, err := fault.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := in.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestRefused prepares faults on targets that they cannot act on.
func TestRefused(t *testing.T) {
	s := newServer(t, "-c", "default_transaction_read_only=off")
	if _, err := s.NodeExec(t.Context(), node, nil, "psql", "-XqAtw", "-U", "postgres", "-c", "alter system set commit_delay = 1"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		kind   string
		values map[string]string
		want   string
	}{
		{"pg-lock-table", map[string]string{"table": "no_such"}, "there is no table no_such in the database ledger"},
		{"pg-lock-table", map[string]string{"table": "transfers", "database": "no_such"}, `database "no_such" does not exist`},
		{"pg-terminate", map[string]string{"role": "nobody"}, "there is no role nobody that can log in"},
		{"pg-pause-replay", nil, "it is the primary, and only a replica replays"},
		{"pg-read-only", nil, "default_transaction_read_only was set on the command line"},
	} {
		fault, err := kind(t, tt.kind).New(s, chaos.NewTargets(s), s.params(tt.values, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fault.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v, want %s", tt.kind, tt.values, err, tt.want)
		}
	}
}

// TestParameters checks what is refused before anything is asked.
func TestParameters(t *testing.T) {
	pooler := sut.Selection{Ref: "pgbouncer", Nodes: []sut.Node{{Name: "pgbouncer", Role: sut.RolePooler}}}
	database := sut.Selection{Ref: node, Nodes: server{}.Topology().Nodes}
	for _, tt := range []struct {
		kind   string
		target sut.Selection
		values map[string]string
		want   string // empty: it is accepted
	}{
		{"pg-lock-table", database, map[string]string{"table": "public.transfers"}, ""},
		{"pg-lock-table", database, nil, "the parameter table is missing"},
		{"pg-lock-table", database, map[string]string{"table": "a; drop table b"}, "table=a; drop table b: want a name"},
		{"pg-lock-table", database, map[string]string{"table": "a", "database": "host=elsewhere"}, "database=host=elsewhere: want a name"},
		{"pg-lock-table", pooler, map[string]string{"table": "a"}, "acts on postgres, and pgbouncer is pgbouncer"},
		{"pgbouncer-pause", database, nil, "acts on pgbouncer, and pg-1 is postgres"},
		{"pg-terminate", database, map[string]string{"every": "10s"}, "every=10s: want 50ms to 5s"},
		{"pg-idle-in-transaction", database, map[string]string{"table": "a", "rows": "10001"}, "rows=10001: want 10000 at most"},
		{"backup-remove-wal", database, map[string]string{"segment": "last"}, "segment=last: want end or next"},
		{"pg-fill-slot", database, map[string]string{"size": "2GiB"}, "size=2GiB: want 1024 MiB at most"},
		{"pgbouncer-shrink-pool", pooler, map[string]string{"size": "0"}, "size=0: want a whole number above zero"},
		{"pgbouncer-shrink-pool", pooler, nil, ""},
	} {
		err := kind(t, tt.kind).CheckAll(chaos.Params{Target: tt.target, For: time.Minute, Values: tt.values})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s %v: %v, want %q", tt.kind, tt.values, err, tt.want)
		}
	}
}

// downNode is a node whose processes have ended.
type downNode struct{ server }

func (downNode) State(context.Context, string) (sut.State, error) { return sut.Down, nil }
func (downNode) Kill(context.Context, string) error               { return nil }
func (downNode) Start(context.Context, string) error              { return nil }
func (downNode) NodeExec(context.Context, string, []string, ...string) (string, error) {
	return "", errors.New("it is down")
}

// TestDown heals a node that is down: a session has ended with it, a setting
// has not.
func TestDown(t *testing.T) {
	for name, healed := range map[string]bool{"pg-lock-table": true, "pg-pause-replay": true, "pgbouncer-pause": true, "pg-read-only": false, "pg-fail-archiving": false} {
		u := chaos.Undo{Data: []byte(`{"id": "proofload-1", "nodes": ["pg-1"]}`)}
		if err := kind(t, name).Heal(t.Context(), downNode{}, u); (err == nil) != healed {
			t.Errorf("%s: %v, want it healed: %t", name, err, healed)
		}
	}
}
