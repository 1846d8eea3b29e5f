package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/proofload/proofload/loadgen/ledgerload"
	"github.com/proofload/proofload/loadgen/probe"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// bringUpStack brings a stack up, or attaches to it where it is to be warm.
// With an error it may also return what is up by then.
func bringUpStack(ctx context.Context, cfg stack.Config, warm bool) (*system, error) {
	began := time.Now()
	st, err := (*stack.Stack)(nil), stack.ErrNotUp
	if warm {
		st, err = stack.Attach(ctx, cfg)
	}
	if errors.Is(err, stack.ErrNotUp) {
		st, err = stack.Up(ctx, cfg)
	}
	if st == nil {
		return nil, err
	}
	// Half a stack is of no use to a later run: it does not stay up.
	sys := &system{env: st, stack: st, warm: warm && err == nil, ready: time.Since(began), images: st.Images()}
	parts, _ := st.Parts()
	for _, p := range parts {
		if p.Name == stack.PartImages {
			sys.making = p.Took
		}
	}
	sys.wire = func(rig *run.Rig, rec *history.Recorder, seed uint64) error {
		return wireStack(sys, st, rig, rec, seed)
	}
	return sys, err
}

// wireStack gives a rig the ledger's workload, and looks at the stack's nodes
// on paths that no fault touches.
func wireStack(sys *system, st *stack.Stack, rig *run.Rig, rec *history.Recorder, seed uint64) error {
	var nonce [6]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return fmt.Errorf("make a nonce: %w", err)
	}
	w, err := ledgerload.New(ledgerload.Config{Seed: seed, Accounts: st.Accounts(), Nonce: nonce})
	if err != nil {
		return err
	}
	seen, agents, databases := observers(st)
	amqp, _ := st.Endpoint("amqp/rabbitmq")
	rig.Workload = w
	rig.Gate = func(ctx context.Context) error {
		return errors.Join(sys.gate(ctx), askReady(ctx, rig.BaseURL))
	}
	rig.Watch = func(ctx context.Context) {
		var wg sync.WaitGroup
		wg.Go(func() { probe.Run(ctx, agents, probe.Pace{Calm: probeAgentEvery, Alarm: probeAgentAlarmEvery}, rec) })
		wg.Go(func() { probe.Run(ctx, counting(st), probe.Pace{Calm: probeCounterEvery}, rec) })
		probe.Run(ctx, seen, probe.Pace{Calm: probeEvery}, rec)
		wg.Wait()
	}
	rig.Holdings = func(drill int) run.Holdings {
		return run.Holdings{Query: w.RestoredQuery(drill), Read: ledgerload.ReadRestored}
	}
	rig.Audit = func(ctx context.Context, f run.FinalReads) error {
		var quiesce time.Duration
		if sys.gone != nil && sys.gone() {
			quiesce = quiesceGone
		}
		return ledgerload.Audit(ctx, ledgerload.AuditConfig{
			Quiesce:   quiesce,
			Databases: databases,
			Primary: func(ctx context.Context) (string, error) {
				n, err := st.Primary(ctx)
				return n.Name, err
			},
			AMQP:     amqp,
			Workload: w,
			Drill:    f.Drill,
			Earlier:  f.Earlier,
			Recorder: rec,
		})
	}
	return nil
}

// observers lists where proofload itself looks at the nodes.
func observers(st *stack.Stack) (seen, agents []probe.Target, databases map[string]string) {
	databases = map[string]string{}
	add := func(list *[]probe.Target, node, op, endpoint string) {
		if url, ok := st.Endpoint(endpoint + "/" + node); ok {
			*list = append(*list, probe.Target{Node: node, Op: op, URL: url})
		}
	}
	for _, n := range st.Topology().ByRole(sut.RoleDatabase) {
		databases[n.Name], _ = st.Endpoint("postgres/" + n.Name)
		add(&seen, n.Name, history.ProbeDatabase, "postgres")
		add(&agents, n.Name, history.ProbeAgent, "patroni")
	}
	for _, n := range st.Topology().ByRole(sut.RolePooler) {
		add(&seen, n.Name, history.ProbeRoute, "postgres")
	}
	return seen, agents, databases
}

// counting lists what the instances count about themselves, and, where there are
// so few accounts that it costs nothing, the books of each database node.
func counting(st *stack.Stack) []probe.Target {
	var list []probe.Target
	add := func(role sut.Role, op, endpoint, path string, counters map[string]string) {
		for _, n := range st.Topology().ByRole(role) {
			if url, ok := st.Endpoint(endpoint + "/" + n.Name); ok {
				list = append(list, probe.Target{Node: n.Name, Op: op, URL: url + path, Counters: counters})
			}
		}
	}
	add(sut.RoleService, history.ProbeCounter, "http", "/metrics", map[string]string{
		history.CounterRequests: "ledger_http_requests_total",
		history.CounterAttempts: "ledger_db_pool_acquires_total",
		history.CounterInFlight: "ledger_http_requests_in_flight",

		history.CounterPoolUsed:    `ledger_db_pool_connections{state="in_use"}`,
		history.CounterPoolMax:     "ledger_db_pool_connections_max",
		history.CounterPoolWaits:   "ledger_db_pool_acquire_waits_total",
		history.CounterHeap:        "go_memstats_heap_alloc_bytes",
		history.CounterCacheHits:   `ledger_cache_gets_total{result="hit"}`,
		history.CounterCacheMisses: `ledger_cache_gets_total{result="miss"}`,
		history.CounterCacheUp:     `ledger_dependency_up{dependency="redis"}`,
	})
	add(sut.RoleWorker, history.ProbeCounter, "http", "/metrics", map[string]string{
		history.CounterDead:     "ledger_jobs_dead_total",
		history.CounterCacheUp:  `ledger_dependency_up{dependency="redis"}`,
		history.CounterBrokerUp: `ledger_dependency_up{dependency="broker"}`,
	})
	if st.Accounts() <= fewAccounts {
		add(sut.RoleDatabase, history.ProbeBooks, "postgres", "", nil)
	}
	return list
}

// askReady asks the service, through its entry point, whether it is ready.
func askReady(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask the service whether it is ready: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the service whether it is ready: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the service whether it is ready: it answered %s", resp.Status)
	}
	return nil
}
