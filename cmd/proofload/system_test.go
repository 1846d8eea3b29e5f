package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/proofload/proofload/sut"
)

// stuckEnv cannot be taken down.
type stuckEnv struct{ sut.Environment }

var errStuck = errors.New("remove stack ledger: no engine answers")

func (stuckEnv) Close(ctx context.Context) error { return errors.Join(errStuck, ctx.Err()) }

func TestRelease(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // also after Ctrl-C
	err := (&system{env: stuckEnv{}}).release(ctx, false)
	if !errors.Is(err, errStuck) || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "proofload down --all") {
		t.Errorf("release() = %v, want what went wrong and what to do", err)
	}
	for name, s := range map[string]*system{"kept": {env: stuckEnv{}}, "warm": {env: stuckEnv{}, warm: true}, "not up": nil} {
		if err := s.release(ctx, name == "kept"); err != nil {
			t.Errorf("%s: release() = %v, want it left alone", name, err)
		}
	}
}
