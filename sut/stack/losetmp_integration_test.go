//go:build integration

package stack

import (
	"context"
	"testing"
	"time"
)

func TestLoseTmp(t *testing.T) {
	s, err := Up(t.Context(), Config{Name: LedgerName, ID: "try"})
	if err != nil {
		t.Fatal(err)
	}
	parts, total := s.Parts()
	for _, p := range parts {
		t.Logf("%5.1f s  %s", p.Took.Seconds(), p.Name)
	}
	t.Logf("%5.1f s  in all", total.Seconds())
	for _, kind := range []string{"lose", "pause", "lose", "kill"} {
		old, err := s.Primary(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PrepareNet(t.Context(), old.Name); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		switch kind {
		case "lose":
			if out, err := s.NetExec(t.Context(), old.Name, "sh", "-c", "iptables -I INPUT -j DROP; iptables -I OUTPUT -j DROP"); err != nil {
				t.Fatal(out, err)
			}
			t.Logf("netexec %s", time.Since(began))
			s.Kill(t.Context(), old.Name)
			t.Logf("kill %s", time.Since(began))
		case "kill":
			s.Kill(t.Context(), old.Name)
		case "pause":
			s.Pause(t.Context(), old.Name)
		}
		first := time.Duration(0)
		for i := 0; ; i++ {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			var id int
			err := s.queryRow(ctx, "postgres/pgbouncer", "update accounts set version = version+1 where id=1 returning id", &id)
			cancel()
			now, perr := s.Primary(t.Context())
			if first == 0 && perr == nil && now != old {
				first = time.Since(began)
			}
			if err == nil && time.Since(began) > 3*time.Second {
				break
			}
			if time.Since(began) > 60*time.Second {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("%s of %s: primary after %.1f, write through pooler after %.1f", kind, old.Name, first.Seconds(), time.Since(began).Seconds())
		if kind == "pause" {
			s.Resume(t.Context(), old.Name)
		} else if err := s.Start(t.Context(), old.Name); err != nil {
			t.Fatal(err)
		}
		b := time.Now()
		if err := s.WaitReady(t.Context(), old.Name); err != nil {
			t.Fatal(err)
		}
		if err := s.check(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("rejoined after %.1f", time.Since(b).Seconds())
	}
	t.Log(s.Status(t.Context()))
}
