package scenarios

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestClient has all that a scenario can say of how load is sent.
func TestClient(t *testing.T) {
	src := []byte(`proofload: scenario/v1
name: drill
target: https://localhost:8443
load:
  workload: w.yaml
  protocol: http/2
  connections: 8 per host
  tls: {ca: ca.pem, cert: client.pem, key: client.key, server_name: ledger.example, only_13: true}
  resolve: 5s
  timeouts: {dial: 500ms, tls: 1s, header: 2s, total: 3s}
  phases:
    - {name: steady, for: 1m, rate: 200/s}
verify: [acknowledged-writes]
`)
	sc, err := Parse("drill.yaml", src, nil)
	if err != nil {
		t.Fatal(err)
	}
	const s = time.Second
	want := Client{
		Protocol: "http/2", Connections: "8 per host", Resolve: 5 * s,
		Timeouts: Timeouts{Dial: s / 2, TLS: s, Header: 2 * s, Total: 3 * s},
		TLS: &TLS{
			CA: File{"ca.pem", Pos{8, 13}}, Cert: File{"client.pem", Pos{8, 27}}, Key: File{"client.key", Pos{8, 44}},
			ServerName: "ledger.example", Only13: true, Pos: Pos{8, 8},
		},
	}
	if diff := cmp.Diff(want, sc.Load.Client); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	if err := validate(t, src); err != nil {
		t.Errorf("the schema says %v", err)
	}
}
