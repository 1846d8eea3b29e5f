package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A lateEngine limits a node, and does what it was told last a while after it
// was told to set the limit back: who told it has died meanwhile.
type lateEngine struct {
	topology sut.Topology
	limit    float64 // cores, bytes, or bytes a second
	order    float64
	late     time.Duration // after the first time that the limit is set back
	due      time.Time
	sets     int
}

func (e *lateEngine) Topology() sut.Topology       { return e.topology }
func (*lateEngine) Endpoint(string) (string, bool) { return "", false }
func (*lateEngine) Close(context.Context) error    { return nil }

// set sets the limit back.
func (e *lateEngine) set(to float64) {
	e.settle()
	if e.limit, e.sets = to, e.sets+1; e.sets == 1 {
		e.due = time.Now().Add(e.late)
	}
}

// settle does what is due.
func (e *lateEngine) settle() {
	if !e.due.IsZero() && time.Now().After(e.due) {
		e.limit, e.due = e.order, time.Time{}
	}
}

func (e *lateEngine) Limits(context.Context, string) (sut.Limits, error) { return sut.Limits{}, nil }

func (e *lateEngine) LimitCPU(_ context.Context, _ string, cores float64) error {
	e.set(cores)
	return nil
}

func (e *lateEngine) LimitMemory(_ context.Context, _ string, bytes int64) error {
	e.set(float64(bytes))
	return nil
}

func (e *lateEngine) NodeExec(context.Context, string, []string, ...string) (string, error) {
	e.settle()
	return fmt.Sprintln(e.limit), nil
}

func (*lateEngine) DiskOf(context.Context, string, string) (string, error) { return "8:0", nil }

func (e *lateEngine) DiskLimits(context.Context, string, string) (sut.DiskLimits, error) {
	e.settle()
	return sut.DiskLimits{Bytes: int64(e.limit)}, nil
}

func (e *lateEngine) SetDiskLimits(_ context.Context, _, _ string, l sut.DiskLimits) error {
	e.set(float64(l.Bytes))
	return nil
}

// TestLateOrder heals a limit whose author died while the engine was at it: the
// node had its own again when the healing began, and is limited a moment later.
func TestLateOrder(t *testing.T) {
	for name, was := range map[string]any{
		"cpu-throttle": before{Limits: sut.Limits{CPU: 64}, Kernel: "64"},
		"memory-limit": before{Limits: sut.Limits{Memory: 64}, Kernel: "64"},
		kindDiskSlow:   diskBefore{Disk: "8:0", Limits: sut.DiskLimits{Bytes: 64}},
	} {
		for _, late := range []time.Duration{0, 100 * time.Millisecond, 900 * time.Millisecond} {
			t.Run(fmt.Sprint(name, " ", late), func(t *testing.T) {
				data, err := json.Marshal(map[string]any{"api-1": was})
				if err != nil {
					t.Fatal(err)
				}
				k := kind(t, name)
				synctest.Test(t, func(t *testing.T) {
					env := &lateEngine{topology: sut.Topology{Nodes: []sut.Node{{Name: "api-1"}}}, limit: 1, order: 1, late: late}
					began := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if err := k.Heal(ctx, env, chaos.Undo{Kind: name, Target: "api-1", Data: data}); err != nil {
						t.Fatal(err)
					}
					took := time.Since(began)
					<-time.After(time.Minute)
					env.settle()
					if env.limit != 64 || took > 5*time.Second {
						t.Errorf("after %s and a minute the limit is %g, want 64, which it was, within 5 s", took, env.limit)
					}
				})
			})
		}
	}
}
