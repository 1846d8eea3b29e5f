package netfault

import (
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
)

// BenchmarkLinkFaults times how long each fault of a link takes from the inject
// call until it is seen in effect, and from the recover call until the link is
// seen whole, on a link with traffic.
func BenchmarkLinkFaults(b *testing.B) {
	const rounds = 20
	for _, tt := range []struct {
		kind   string
		values map[string]string
	}{
		{kindStall, nil},
		{kindLatency, map[string]string{"delay": "50ms"}},
		{kindBandwidth, map[string]string{"rate": "64KiB"}},
		{kindSlice, nil},
		{kindLimit, map[string]string{"bytes": "5000"}},
		{kindHalfOpen, nil},
		{kindLinkReset, nil},
		{kindLinkDown, nil},
	} {
		env := newLinkEnv(b, testLink)
		env.traffic(b)
		var settled, whole []time.Duration
		for range rounds {
			in, _ := inject(b, env, kind(b, tt.kind), chaos.Params{Target: env.selection(testLink), Values: tt.values})
			seen, err := in.Settle(deadline(b, 30*time.Second))
			if err != nil {
				b.Fatal(err)
			}
			settled = append(settled, seen.Took)
			err = in.Recover(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			seen, err = in.Recovered(deadline(b, 30*time.Second))
			if err != nil {
				b.Fatal(err)
			}
			whole = append(whole, seen.Took)
		}
		b.Logf("%-10s in effect p95 of %d: %s, whole p95: %s", tt.kind, rounds, p95(settled), p95(whole))
	}
}

func p95(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)*95/100-1].Round(time.Millisecond)
}
