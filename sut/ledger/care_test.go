package ledger

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCare counts how often something is done: at once, then every hour, and
// sooner after it failed.
func TestCare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		p := &process{log: slog.New(slog.DiscardHandler)}
		care := p.care("tidy up", time.Hour, func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("there is no deadline")
			}
			at = append(at, time.Since(began))
			if len(at) == 2 {
				return errors.New("no")
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour+30*time.Minute)
		defer cancel()
		care(ctx)
		want := []time.Duration{0, time.Hour, time.Hour + time.Minute, 2*time.Hour + time.Minute}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took != 2*time.Hour+30*time.Minute {
			t.Errorf("it ended after %s; want with its context", took)
		}
	})
}

func TestAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited([]string{"settlement", "statements"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a.arrived("settlement")
		a.arrived("settlement")
		if err := a.wait(ctx); err == nil || !strings.HasPrefix(err.Error(), "not consuming yet: statements: ") {
			t.Errorf("wait = %v; want an error that names the statements", err)
		}
		time.AfterFunc(time.Minute, func() { a.arrived("statements") })
		began := time.Now()
		if err := a.wait(t.Context()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("wait = %v after %s; want nil after 1m", err, time.Since(began))
		}
		a.arrived("statements")
		if err := a.wait(t.Context()); err != nil {
			t.Errorf("wait = %v; want nil", err)
		}
	})
}

// TestRunRefuses starts processes with addresses that cannot be used.
func TestRunRefuses(t *testing.T) {
	good := Config{
		DatabaseURL: "postgres://u@127.0.0.1:1/d", ReplicaURL: "postgres://u@127.0.0.1:1/d", RedisURL: "redis://127.0.0.1:1/0",
		AMQPURL: "amqp://127.0.0.1:1/", Listen: "127.0.0.1:0", DatabaseConns: 2, RequestTimeout: time.Second,
	}
	for name, spoil := range map[string]func(*Config){
		"database": func(c *Config) { c.DatabaseURL = "nonsense://" },
		"replica":  func(c *Config) { c.ReplicaURL = "nonsense://" },
		"redis":    func(c *Config) { c.RedisURL = "nonsense://" },
		"traces":   func(c *Config) { c.OTLPEndpoint = "nonsense" },
		"webhook":  func(c *Config) { c.AlertWebhook = "nonsense" },
		"listen":   func(c *Config) { c.Listen = "127.0.0.1:port" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			spoil(&cfg)
			if err := RunAPI(t.Context(), cfg, t.Output()); err == nil {
				t.Error("RunAPI = nil; want an error")
			}
			if err := RunWorker(t.Context(), cfg, t.Output()); err == nil {
				t.Error("RunWorker = nil; want an error")
			}
		})
	}
}
