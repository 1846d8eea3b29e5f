package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestAnomalies plants one anomaly in a lawful history. Exactly what looks for
// it must fire.
func TestAnomalies(t *testing.T) {
	const acked = "1-steady-0001"   // acknowledged before anything broke
	const late = "1-after-0001"     // acknowledged after the failover
	const refused = "1-warmup-0001" // see the change
	type events = []history.Event
	tests := []struct {
		name   string
		change func(w *world)
		mutate func(es events) events
		want   []string // fired
		says   string   // in the reasons
	}{
		{
			name:   "lost write",
			mutate: func(es events) events { return drop(es, row(acked)) },
			want:   []string{"fail primary-lost rpo", "fail primary-lost lost_writes", "fail acknowledged-writes"},
			says:   "1 of 1,801 acknowledged writes were lost, recovery point 16 s (limit 0 s)",
		},
		{
			name:   "lost after T0",
			mutate: func(es events) events { return drop(es, row(late)) },
			want:   []string{"fail primary-lost lost_writes", "fail acknowledged-writes"},
			says:   "acknowledged-writes: 1 of",
		},
		{
			name: "effect without postings",
			mutate: func(es events) events {
				return edit(es, row(late), func(e *history.Event) { e.Count = 0 })
			},
			want: []string{"fail primary-lost lost_writes", "fail acknowledged-writes"},
		},
		{
			name: "altered",
			mutate: func(es events) events {
				return edit(es, row(acked), func(e *history.Event) { e.Amount++ })
			},
			want: []string{"fail acknowledged-writes"},
			says: "1 acknowledged write was altered",
		},
		{
			name: "refused and present",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.ID == refused && e.Kind == history.OK },
					func(e *history.Event) { e.Kind, e.Class = history.Fail, "4xx" })
			},
			want: []string{"fail acknowledged-writes", "fail restored-writes"},
			says: "1 write was unexpected",
		},
		{
			name: "never attempted and present",
			mutate: func(es events) events {
				i := slices.IndexFunc(es, func(e history.Event) bool { return row(acked)(&e) })
				ghost := es[i]
				ghost.ID = "ghost"
				return slices.Insert(slices.Clone(es), i, ghost)
			},
			want: []string{"fail acknowledged-writes"},
			says: "unexpected",
		},
		{
			name: "two effects",
			mutate: func(es events) events {
				return edit(es, row(acked), func(e *history.Event) { e.Count = 2 })
			},
			want: []string{"fail primary-lost duplicates", "fail no-duplicates"},
			says: "1 write happened more than once",
		},
		{
			name: "two rows",
			mutate: func(es events) events {
				i := slices.IndexFunc(es, func(e history.Event) bool { return row(acked)(&e) })
				return slices.Insert(slices.Clone(es), i, es[i])
			},
			want: []string{"fail primary-lost duplicates", "fail no-duplicates"},
		},
		{
			name: "job done twice",
			mutate: func(es events) events {
				return edit(es, row(acked), func(e *history.Event) { e.Jobs = 2 })
			},
			want: []string{"fail primary-lost duplicates", "fail no-duplicates"},
		},
		{
			name: "job missing",
			mutate: func(es events) events {
				return edit(es, row(acked), func(e *history.Event) { e.Jobs = 0 })
			},
			want: []string{"fail jobs-done"},
			says: "the job of 1 acknowledged write was not done",
		},
		{
			name: "outbox not empty",
			mutate: func(es events) events {
				return edit(es, audited(history.AuditJobs), func(e *history.Event) { e.Count = 3 })
			},
			want: []string{"fail jobs-done"},
			says: "3 left in outbox",
		},
		{
			name: "unbalanced books",
			mutate: func(es events) events {
				return edit(es, audited(history.AuditBooks), func(e *history.Event) { e.Value = -250 })
			},
			want: []string{"fail balances"},
			says: "postings sum to -250",
		},
		{
			name: "second primary",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool {
					return e.Op == history.ProbeDatabase && e.Node == "pg-1" && e.At > lossAt+20*time.Second
				}, func(e *history.Event) { e.Role, e.Timeline = "primary", 3 })
			},
			want: []string{"fail one-primary"},
			says: "pg-1 was still primary on timeline 3",
		},
		{
			name: "two primaries in the end",
			mutate: func(es events) events {
				return edit(es, audited(history.AuditRole), func(e *history.Event) { e.Role = "primary" })
			},
			want: []string{"fail one-primary"},
			says: "both pg-1 and pg-2 are primary",
		},
		{
			name: "a replica does not stream",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.Op == history.AuditRole && e.Count == 2 },
					func(e *history.Event) { e.Count = 1 })
			},
			want: []string{"fail one-primary"},
			says: "1 of 2 replicas from pg-2 stream",
		},
		{
			name: "replica differs",
			mutate: func(es events) events {
				return edit(es, audited(history.AuditSum), func(e *history.Event) { e.Text = "dead" })
			},
			want: []string{"fail replicas-agree"},
			says: "accounts differs between pg-1",
		},
		{
			name:   "late recovery",
			change: func(w *world) { w.down = 26 * time.Second },
			want:   []string{"fail primary-lost rto"},
			says:   "clients were served again 26",
		},
		{
			name:   "no recovery",
			change: func(w *world) { w.down = 34 * time.Second },
			want:   []string{"fail primary-lost rto"},
			says:   "clients were not served again within 34 s after the primary was lost (limit 20 s)",
		},
		{
			name: "slow baseline",
			mutate: func(es events) events {
				es = slices.Clone(es)
				for i, e := range es {
					if e.Phase == "steady" && e.Op == "create-transfer" && e.Kind == history.OK {
						es[i].At += 300 * time.Millisecond
					}
				}
				return es
			},
			want: []string{"fail steady p99", "inconclusive primary-lost rto", "inconclusive primary-lost rpo"},
			says: "the baseline already missed its objectives: p99 of steady was 32",
		},
		{
			name: "errors afterwards",
			mutate: func(es events) events {
				es = slices.Clone(es)
				for i, e := range es {
					if e.Phase == "after" && e.Op == "get-account" {
						es[i].Kind, es[i].Class = history.Fail, "5xx"
					}
				}
				return es
			},
			want: []string{"fail after p99.9", "fail after rate", "fail instances-recover", "fail goodput-returns"},
			says: "66.6 % of the operations in after were good (at least 99 %)",
		},
		{
			name:   "no stall",
			change: func(w *world) { w.stall = 0 },
			want:   []string{"inconclusive primary-lost rpo"},
			says:   "not exercised: replication from what the fault hit was not stalled",
		},
		{
			name: "stall lifted too early",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.ID == "stall-1" && e.Op == history.FaultRecover },
					func(e *history.Event) { e.At = lossAt - time.Millisecond })
			},
			want: []string{"inconclusive primary-lost rpo"},
		},
		{
			name:   "loss without a stall",
			change: func(w *world) { w.stall = 0 },
			mutate: func(es events) events { return drop(es, row(acked)) },
			want:   []string{"fail primary-lost rpo", "fail primary-lost lost_writes", "fail acknowledged-writes"},
		},
		{
			name: "audit incomplete",
			mutate: func(es events) events {
				es = drop(es, row(acked)) // and so nothing is known of it
				return edit(es, audited(history.AuditDone), func(e *history.Event) { e.Kind, e.Text = history.Fail, "pg-2 went away" })
			},
			want: []string{
				"inconclusive primary-lost rpo", "inconclusive primary-lost lost_writes", "inconclusive primary-lost duplicates",
				"inconclusive acknowledged-writes", "inconclusive observed-writes", "inconclusive no-duplicates", "inconclusive balances",
				"inconclusive counter-bounds", "inconclusive linearizable", "inconclusive one-primary", "inconclusive replicas-agree",
				"inconclusive jobs-done", "inconclusive subscribers",
			},
			says: "the final reads are not complete: pg-2 went away",
		},
		{
			name: "fault not seen",
			mutate: func(es events) events {
				return drop(es, func(e *history.Event) bool { return e.ID == "primary-lost" && e.Op == history.FaultSettled })
			},
			want: []string{"inconclusive primary-lost rto", "inconclusive faults-proven"},
			says: "primary-lost was not seen to take effect",
		},
		{
			name: "observed, then lost",
			mutate: func(es events) events {
				i := slices.IndexFunc(es, func(e history.Event) bool {
					return e.Write && e.Kind == history.Info && slices.ContainsFunc(es, func(r history.Event) bool { return row(e.ID)(&r) })
				})
				seen := sawOf(40, "", es[i].ID, "primary", 4, 0)
				seen.Drill, seen.Phase = 1, "warmup"
				return append(drop(es, row(es[i].ID)), seen)
			},
			want: []string{"fail observed-writes"},
			says: "1 write was observed, then lost",
		},
		{
			name: "counter out of bounds",
			mutate: func(es events) events {
				return edit(es, audited(history.AuditCounter), func(e *history.Event) { e.Value += 50_000_000 })
			},
			want: []string{"fail counter-bounds"},
		},
		{
			name: "own write not found",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool {
					return e.By == history.ByLoad && strings.HasPrefix(e.Key, "1-steady") && !e.Write
				}, func(e *history.Event) { e.Status = 404 })
			},
			want: []string{"fail read-your-writes"},
			says: "did not find what their session had written",
		},
		{name: "back in time", mutate: backInTime, want: []string{"fail monotonic-reads"}, says: "1 of "},
		{
			name: "balance that cannot be",
			mutate: func(es events) events {
				return edit(es, lateRead(history.SourcePrimary), func(e *history.Event) { e.Amount++ })
			},
			want: []string{"fail linearizable"},
			says: "1 account was not linearizable",
		},
		{
			name: "stale primary",
			mutate: func(es events) events {
				return edit(es, lateRead(history.SourcePrimary), func(e *history.Event) { e.Value, e.Session, e.Promise = 1, "", "" })
			},
			want: []string{"fail fresh-reads"},
			says: "1 read was stale",
		},
		{
			name: "stale replica",
			mutate: func(es events) events {
				return edit(es, lateRead(history.SourceReplica), func(e *history.Event) { e.Value, e.Session = 1, "" })
			},
			want: []string{"fail fresh-reads"},
		},
		{
			name: "stale copy",
			mutate: func(es events) events {
				return edit(es, lateRead(history.SourceCache), func(e *history.Event) { e.Value, e.Session = 1, "" })
			},
			want: []string{"fail cache-coherent"},
		},
		{
			name: "long fork",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.Saw != "" && e.Phase == "after" }, func(e *history.Event) {
					saw := ""
					for key, version := range history.Sights(e.Saw) {
						switch key {
						case accountNo(0):
							version++
						case accountNo(1):
							version = 1
						}
						saw = history.AppendSaw(saw, key, version)
					}
					e.Saw = saw
				})
			},
			want: []string{"fail snapshots-in-order"},
			says: "forked",
		},
		{
			name: "answer of another",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool {
					return e.By == history.ByLoad && !e.Write && e.Promise == "" && e.Phase == "warmup"
				},
					func(e *history.Event) { e.Kind, e.Status, e.Class = history.Fail, 200, history.ClassBadBody })
			},
			want: []string{"fail answers-right"},
			says: "promise success and say something else",
		},
		{
			name: "let in",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.Promise == history.PromiseRefused }, func(e *history.Event) { e.Status = 201 })
			},
			want: []string{"fail refusals-hold"},
			says: "1 operation was done that had to be refused",
		},
		{
			name: "damaged index",
			mutate: func(es events) events {
				return edit(es, audited(history.AuditIntact), func(e *history.Event) { e.Amount, e.Text = 1, "accounts_pkey: a row is missing" })
			},
			want: []string{"fail replicas-agree"},
			says: "1 of 6 files on pg-1 are damaged",
		},
		{
			name: "given up and dropped",
			mutate: func(es events) events {
				return edit(es, countedSince("worker-1", history.CounterDead, 50*time.Second), func(e *history.Event) { e.Value = 2 })
			},
			want: []string{"fail dead-letters"},
			says: "2 messages were given up and 0 dead letters were kept",
		},
		{
			name: "gap",
			mutate: func(es events) events {
				return append(events{{At: time.Second, By: history.ByAudit, Kind: history.Info, Drill: 1, Op: history.AuditSubscriber, Target: "projection", ID: acked}}, es...)
			},
			want: []string{"fail subscribers"},
			says: "projection has not learned of 1 acknowledged write",
		},
		{
			name: "instance stays away",
			mutate: func(es events) events {
				es = slices.Clone(es)
				for i, e := range es {
					if e.By == history.ByLoad && e.Sched > 54*time.Second && e.Node == "api-2" {
						es[i].Node = "api-1"
					}
				}
				return es
			},
			want: []string{"fail instances-recover"},
			says: "api-2 answered nothing in the last seconds of drill 1",
		},
		{
			name: "fault not seen to go",
			mutate: func(es events) events {
				return drop(es, func(e *history.Event) bool { return e.ID == "stall-1" && e.Op == history.FaultRecovered })
			},
			want: []string{"inconclusive faults-proven", "inconclusive goodput-returns"},
			says: "stall-1 was not seen to be gone in drill 1",
		},
		{
			name: "retries multiply",
			mutate: func(es events) events {
				es = slices.Clone(es)
				for i, e := range es {
					if countedSince("api-1", history.CounterAttempts, 30*time.Second)(&e) {
						es[i].Value += 5000
					}
				}
				return es
			},
			want: []string{"fail retry-amplification"},
			says: "times as many as in calm (limit 3)",
		},
		{
			name: "work for nobody",
			mutate: func(es events) events {
				return edit(es, countedSince("api-1", history.CounterInFlight, 70900*time.Millisecond), func(e *history.Event) { e.Value = 5 })
			},
			want: []string{"fail orphaned-work"},
			says: "api-1 was working on 5 requests for nobody",
		},
		{
			name: "no timeout",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.By == history.ByLoad && !e.Write && e.Phase == "warmup" },
					func(e *history.Event) { e.At += 6 * time.Second })
			},
			want: []string{"fail timeouts-hold"},
			says: "operations waited for up to 6.",
		},
		{
			name: "snapshot out of balance",
			mutate: func(es events) events {
				return edit(es, func(e *history.Event) bool { return e.Op == history.ProbeBooks }, func(e *history.Event) { e.Value = -7 })
			},
			want: []string{"fail balances"},
			says: "1 of 72 snapshots during the run did not balance",
		},
		{
			name: "gap in a restored copy",
			mutate: func(es events) events {
				return drop(es, func(e *history.Event) bool { return e.Op == history.AuditRestored && e.ID == acked })
			},
			want: []string{"fail restored-writes"},
			says: "1 write was acknowledged until 60.000 s and missing in restored, which has to have them",
		},
		{
			name: "operations missing after the fault",
			mutate: func(es events) events {
				return drop(es, func(e *history.Event) bool {
					return e.By == history.ByLoad && e.Phase == "failover" && e.Sched >= lossAt && !e.Write
				})
			},
			want: []string{"inconclusive primary-lost rto"},
			says: "of the 2,000 operations planned in failover of drill 1 arrived",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := lawful()
			if tt.change != nil {
				tt.change(w)
			}
			events := w.history()
			if tt.mutate != nil {
				events = tt.mutate(events)
			}
			j := judge(t, w.spec(), events)
			if diff := cmp.Diff(tt.want, fired(j)); diff != "" {
				t.Errorf("fired (-want +got):\n%s", diff)
			}
			if !slices.ContainsFunc(j.Reasons, func(r string) bool { return strings.Contains(r, tt.says) }) {
				t.Errorf("reasons %q, none says %q", j.Reasons, tt.says)
			}
			if j.Outcome == Pass || j.Sentence == "" {
				t.Errorf("outcome %q, sentence %q", j.Outcome, j.Sentence)
			}
		})
	}
}
