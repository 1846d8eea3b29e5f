package plan_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/scenarios/plan"
)

// clientScenario says how load is sent to an https target.
const clientScenario = `proofload: scenario/v1
name: client
target: https://localhost:8443
load:
  workload: ledger/mixed
  protocol: http/2
  connections: 8 per host
  tls: {ca: ca.pem, cert: c.pem, key: c.key, server_name: ledger.example, only_13: true}
  resolve: 5s
  timeouts: {dial: 500ms, total: 3s}
  phases:
    - {name: steady, for: 1m, rate: 200/s}
objectives: {steady: {p99: 1s}}
`

// pair is a certificate that signs itself, and its key, in PEM.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", keyDER)
}

func TestClient(t *testing.T) {
	cert, key := pair(t)
	p := build(t, parse(t, "client.yaml", []byte(clientScenario)), plan.Options{
		Seed: 1, Open: files(map[string]string{"ca.pem": cert, "c.pem": cert, "c.key": key}),
	})
	c := p.Client
	const s = time.Second
	if c.Version != loadgen.Version2 || c.Connections.String() != "8 per host" || c.Resolve != 5*s ||
		!cmp.Equal(c.Timeouts, loadgen.Timeouts{Dial: s / 2, Total: 3 * s}) {
		t.Errorf("client = %+v", c)
	}
	if c.TLS == nil || c.TLS.MinVersion != tls.VersionTLS13 || c.TLS.ServerName != "ledger.example" || len(c.TLS.Certificates) != 1 || c.TLS.RootCAs == nil {
		t.Errorf("TLS = %+v", c.TLS)
	}
	for base, want := range map[string]loadgen.Protocol{"https://localhost:8443": loadgen.HTTP2, "http://localhost": loadgen.H2C} {
		if got := c.Version.Over(base); got != want {
			t.Errorf("protocol over %s = %s, want %s", base, got, want)
		}
	}
	const line = `      http/2, connections: 8 per host, TLS 1.3 with the authorities of ca.pem and the certificate of c.pem to
      ledger.example, names looked up again every 5s, dial timeout 500ms, total timeout 3s`
	if got := render(t, p, 112); !strings.Contains(got, line) {
		t.Errorf("the plan is\n%s\nand does not say\n%s", got, line)
	}
}

// TestClientProblems checks that files that are of no use are named where the
// scenario names them.
func TestClientProblems(t *testing.T) {
	cert, key := pair(t)
	all := map[string]string{"ca.pem": cert, "c.pem": cert, "c.key": key}
	for name, tc := range map[string]struct{ drop, from, to, want string }{
		"no file of authorities": {drop: "ca.pem", want: "client.yaml:8:13: read authorities: open ca.pem"},
		"no key":                 {drop: "c.key", want: "client.yaml:8:27: read client certificate c.pem with key c.key: open c.key"},
		"no TLS":                 {from: "https://", to: "http://", want: "client.yaml:8:8: the target http://localhost:8443 speaks no TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			given := map[string]string{}
			for file, text := range all {
				if file != tc.drop {
					given[file] = text
				}
			}
			src := strings.Replace(clientScenario, tc.from, tc.to, 1)
			_, err := plan.Build(parse(t, "client.yaml", []byte(src)), topology(), catalog(), workloads(), plan.Options{Open: files(given)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v\nwant one with %q", err, tc.want)
			}
		})
	}
}
