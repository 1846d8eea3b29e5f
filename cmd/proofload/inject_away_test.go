package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
)

// A goneEngine is one node whose engine goes away while it is down.
type goneEngine struct {
	down  bool
	until time.Time // it answers again
	asked int       // to start the node
}

func (*goneEngine) Topology() sut.Topology {
	return sut.Topology{Name: "stack/one", Nodes: []sut.Node{{Name: "api-1", Role: sut.RoleService}}}
}
func (*goneEngine) Endpoint(string) (string, bool)   { return "", false }
func (*goneEngine) Close(context.Context) error      { return nil }
func (*goneEngine) ContainerName(node string) string { return "proofload-one-" + node }

func (e *goneEngine) Kill(ctx context.Context, _ string) error {
	e.down = true
	return ctx.Err()
}

func (e *goneEngine) Start(context.Context, string) error {
	e.asked++
	if time.Now().Before(e.until) {
		return errors.New("no Docker engine answers")
	}
	e.down = false
	return nil
}

func (e *goneEngine) State(ctx context.Context, _ string) (sut.State, error) {
	if e.down {
		return sut.Down, ctx.Err()
	}
	return sut.Running, ctx.Err()
}

// TestEngineGoesAwayDuringRecovery has inject try again and again to mend what it
// broke. If the engine stays away it ends with 6 and the commands, and what is
// broken is still journalled; if it comes back in time all is well.
func TestEngineGoesAwayDuringRecovery(t *testing.T) {
	for _, tt := range []struct {
		name    string
		away    time.Duration
		code    int
		pending int
	}{
		{"it comes back", 20 * time.Second, reports.ExitPass, 0},
		{"it stays away", time.Hour, reports.ExitFaultsLeft, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := reports.Directory{Path: t.TempDir()}
			synctest.Test(t, func(t *testing.T) {
				journal, err := chaos.OpenJournal(filepath.Join(dir.Path, reports.FileJournal))
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				env := &goneEngine{until: time.Now().Add(tt.away)}
				i := &injection{
					app: &app{stdout: &out, stderr: &out}, catalog: catalog(), kind: catalog()["kill"], dir: dir, target: "stack/one",
					params: chaos.Params{Target: sut.Selection{Ref: "api-1", Nodes: env.Topology().Nodes}, For: 5 * time.Second},
				}
				err = i.live(t.Context(), env, journal)
				code := reports.ExitPass
				if ended, ok := errors.AsType[*exitError](err); ok {
					code = ended.code
				}
				if code != tt.code || (err == nil) != (tt.code == reports.ExitPass) || env.asked < 5 {
					t.Errorf("after %d tries: exit %d, %v, want %d\n%s", env.asked, code, err, tt.code, out.String())
				}
				if by := "by hand: docker start proofload-one-api-1"; err != nil && !strings.Contains(err.Error(), by) {
					t.Errorf("it does not say %q: %v", by, err)
				}
				if n := len(journal.Pending()); n != tt.pending || env.down != (tt.pending > 0) {
					t.Errorf("%d pending, down %t, want %d", n, env.down, tt.pending)
				}
				if err := journal.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
