package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut"
)

// isURL reports whether a target is the address of a system that runs already.
func isURL(target string) bool {
	return strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://")
}

// tcpScheme begins the address of a target that speaks no HTTP, such as a
// database or a broker: all of its load goes to endpoints: of a workload file.
const tcpScheme = "tcp://"

// isAddress reports whether a target is the address of a system that runs
// already, whatever it speaks.
func isAddress(target string) bool { return isURL(target) || strings.HasPrefix(target, tcpScheme) }

// describeURL returns the topology of a target that is an address: nothing is
// known of its nodes. It must be on this machine, since nobody has said that
// load may be sent anywhere else.
func describeURL(target string, options map[string]string) (sut.Topology, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Host == "":
		return sut.Topology{}, errors.New("the target is no URL: write for example http://localhost:8080")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return sut.Topology{}, fmt.Errorf("the target %s is more than an address: write http://HOST:PORT, and secrets into the workload file", u.Redacted())
	case !(loadgen.Config{}).Allows(u.Hostname()):
		return sut.Topology{}, fmt.Errorf("send load to %s: %w: a target that is an address must be on this machine", u.Hostname(), loadgen.ErrHostNotAllowed)
	case !isURL(target) && (u.Port() == "" || u.Path != ""):
		return sut.Topology{}, fmt.Errorf("the target %s is no address: write for example tcp://localhost:5432", target)
	case len(options) > 0:
		return sut.Topology{}, fmt.Errorf("the target %s has no options", target)
	}
	return sut.Topology{Name: target}, nil
}

// urlEnv is a system of which only its address is known.
type urlEnv struct{ address string }

func (e urlEnv) Topology() sut.Topology { return sut.Topology{Name: e.address} }

func (e urlEnv) Endpoint(name string) (string, bool) {
	if !isURL(e.address) {
		return "", name == "api" // of nothing
	}
	return strings.TrimRight(e.address, "/"), name == "api"
}

func (urlEnv) Close(context.Context) error { return nil }

// attachURL attaches to a system that runs already. It is left as it is found.
func attachURL(target string, client *http.Client) *system {
	if address, ok := strings.CutPrefix(target, tcpScheme); ok {
		return attach(urlEnv{target}, func(ctx context.Context) error { return connect(ctx, address) })
	}
	return attach(urlEnv{target}, func(ctx context.Context) error { return askAnything(ctx, strings.TrimRight(target, "/"), client) })
}

// attach attaches to a system of which no more is known than what its clients
// see.
func attach(env sut.Environment, gate func(context.Context) error) *system {
	sys := &system{env: env}
	sys.wire = func(rig *run.Rig, rec *history.Recorder, _ uint64) error {
		rig.Gate = gate
		rig.Watch = func(ctx context.Context) { <-ctx.Done() }
		rig.Audit = func(_ context.Context, f run.FinalReads) error {
			rec.Record(history.Event{Kind: history.Info, By: history.ByAudit, Op: history.AuditDone, Drill: f.Drill})
			return nil
		}
		return nil
	}
	return sys
}

// askAnything returns when the system answers, whatever it says.
func askAnything(ctx context.Context, base string, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask the target: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the target whether it is there: %w", err)
	}
	return resp.Body.Close()
}

// connect returns when something accepts connections at HOST:PORT.
func connect(ctx context.Context, address string) error {
	conn, err := loadgen.Config{}.Dial(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("ask the target whether it is there: %w", err)
	}
	return conn.Close()
}
