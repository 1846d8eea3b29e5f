package loadgen

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// newTLSServer returns a server that is not started yet.
func newTLSServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(s.Close)
	return s
}

// TestConnectionPolicies counts the connections of 40 operations at 10 a
// second that take 250 ms each.
func TestConnectionPolicies(t *testing.T) {
	for policy, want := range map[Connections]struct{ conns, fresh int }{
		Reuse():               {3, 3},
		FreshConnections():    {40, 40},
		ConnectionsPerHost(2): {2, 2},
		ConnectionsPerHost(9): {3, 3},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
					if r.Close != (policy == FreshConnections()) {
						panic("the server was told wrongly whether the connection ends")
					}
					pause(r, 250*time.Millisecond)
				})
				dialled, inner := 0, b.dial
				b.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					dialled++
					return inner(ctx, network, addr)
				}
				b.Connections = policy
				b.Phases = []Phase{{Name: "p", For: 4 * time.Second, From: 10, To: 10}}
				stats := b.drive(t.Context(), t)
				fresh := 0
				for _, e := range b.events(t) {
					if e.Connect > 0 {
						fresh++
					}
				}
				if stats.Completed != 40 || dialled != want.conns || fresh != want.fresh {
					t.Errorf("%d completed over %d connections, %d of the history; want 40 over %d", stats.Completed, dialled, fresh, want.conns)
				}
			})
		})
	}
}

// TestWaitForAConnectionIsBounded has one connection, which never answers.
func TestWaitForAConnectionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Hour) })
		b.Connections = ConnectionsPerHost(1)
		b.Phases = []Phase{{Name: "p", For: time.Second, From: 3, To: 3}}
		b.drive(t.Context(), t)
		var classes []string
		for _, e := range b.events(t) {
			classes = append(classes, e.Class)
			if took := e.At - e.Sent; took != DefaultTotalTimeout {
				t.Errorf("%s after %v, want %v", e.Class, took, DefaultTotalTimeout)
			}
		}
		// The second got the connection that the first gave up just as it gave up itself.
		if len(classes) != 3 || classes[0] != ClassTimeout {
			t.Errorf("ended as %q, want %q first", classes, ClassTimeout)
		}
	})
}

// TestIdleConnectionsAreClosed leaves more than the idle timeout between two
// operations.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.Phases = []Phase{{Name: "p", For: 20 * time.Second, From: 0.2, To: 0.2}}
		b.drive(t.Context(), t)
		for _, e := range b.events(t) {
			if e.Connect == 0 {
				t.Errorf("operation of %v used a connection that was unused for 5 s", e.Sched)
			}
		}
	})
}

// TestClosedConnectionIsNotUsed has a server close each connection once it has
// answered, without saying so. The client sees it before it sends.
func TestClosedConnectionIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 1)
	handle := func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		_ = conn.Close()
		closed <- struct{}{}
	}
	c := Config{BaseURL: serve(t, handle), Timeouts: long()}.withDefaultsFor(t)
	tr, err := newTransport(t.Context(), c, aTurn(t))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	for i := range 3 {
		a, err := tr.exchange(&request{method: http.MethodPost, path: "/", deadline: time.Now().Add(c.Timeouts.Total)})
		if err != nil || a.status != http.StatusOK || a.timings.Connect == 0 {
			t.Errorf("exchange %d: status %d, %v; want 200 over a new connection", i, a.status, err)
		}
		<-closed
	}
}

// TestAnswerBeforeTheWholeRequest has a server answer and close while a long
// body is still on its way.
func TestAnswerBeforeTheWholeRequest(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
		_, _ = conn.Read(make([]byte, 1<<10)) // until the client has had enough
		_, _ = io.Copy(io.Discard, conn)
	})
	op := writes(1)
	op.Body = make([]byte, 64<<20)
	c := Config{BaseURL: url, Timeouts: long()}
	if e := sendOne(t, c, op); e.Kind != history.Fail || e.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("operation ended as %s %d %q, want %s 413", e.Kind, e.Status, e.Class, history.Fail)
	}
}

// TestNamesAreLookedUpAgain moves a name to another address. Connections in use
// are given up soon after, others are made to the new address at once.
func TestNamesAreLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.BaseURL, b.AllowHosts, b.Resolve = "http://db.example", []string{"db.example"}, time.Second
		began := time.Now()
		moved := func() bool { return time.Since(began) >= 5*time.Second }
		var lookups atomic.Int64
		b.lookup = func(context.Context, string) ([]netip.Addr, error) {
			lookups.Add(1)
			if moved() {
				return []netip.Addr{netip.MustParseAddr("192.0.2.2")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
		var mu sync.Mutex
		var dialled []string
		inner := b.dial
		b.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			dialled = append(dialled, addr)
			mu.Unlock()
			conn, err := inner(ctx, network, addr)
			return &located{conn, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}, err
		}
		b.Phases = []Phase{{Name: "p", For: 10 * time.Second, From: 10, To: 10}}
		stats := b.drive(t.Context(), t)
		if got := strings.Join(dialled, " "); got != "192.0.2.1:80 192.0.2.2:80" || stats.Completed != 100 {
			t.Errorf("%d completed, dialled %s; want 100, one address after the other", stats.Completed, got)
		}
		if n := lookups.Load(); n < 9 || n > 14 {
			t.Errorf("%d lookups in 10 s, want about one a second", n)
		}
		names := 0
		for _, e := range b.events(t) {
			if e.DNS > 0 {
				names++
			}
		}
		if names != 2 {
			t.Errorf("%d operations have the time of a lookup, want 2", names)
		}
	})
}

// located is a connection that says where it goes.
type located struct {
	net.Conn

	remote net.Addr
}

func (l *located) RemoteAddr() net.Addr { return l.remote }

func TestNameThatIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.BaseURL, b.AllowHosts = "http://db.example", []string{"db.example"}
		b.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		b.drive(t.Context(), t)
		for _, e := range b.events(t) {
			if e.Kind != history.Fail || e.Class != ClassDNS {
				t.Errorf("operation ended as %s %q, want %s %q", e.Kind, e.Class, history.Fail, ClassDNS)
			}
		}
	})
}

// TestEveryAddressIsTried has a name with an address that is silent.
func TestEveryAddressIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(http.ResponseWriter, *http.Request) {})
		b.BaseURL, b.AllowHosts = "http://db.example", []string{"db.example"}
		b.lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, nil
		}
		inner := b.dial
		b.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "192.0.2.1:80" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return inner(ctx, network, addr)
		}
		b.Phases = []Phase{{Name: "p", For: time.Second, From: 1, To: 1}}
		b.drive(t.Context(), t)
		if e := b.events(t)[0]; e.Kind != history.OK || e.Connect != DefaultDialTimeout/2 {
			t.Errorf("operation ended as %s %q, connected after %v; want %s after half of the dial timeout", e.Kind, e.Class, e.Connect, history.OK)
		}
	})
}

// TestClientCertificate has a server that demands a certificate, by TLS 1.3.
func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	pool := writeCertificate(t, cert, key)
	s := newTLSServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.Version != tls.VersionTLS13 || len(r.TLS.PeerCertificates) != 1 {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	ca := filepath.Join(dir, "ca.pem")
	writePEM(t, ca, "CERTIFICATE", s.Certificate().Raw)

	with, err := TLSFiles{CA: ca, Cert: cert, Key: key, Only13: true}.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := sendOne(t, Config{BaseURL: s.URL, TLS: with, Timeouts: long()}, reads(0)); e.Kind != history.OK || e.TLS == 0 {
		t.Errorf("with a certificate: %s %d %q, want %s", e.Kind, e.Status, e.Class, history.OK)
	}
	without, err := TLSFiles{CA: ca}.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	// By TLS 1.3 the client learns of the refusal only when it reads.
	if e := sendOne(t, Config{BaseURL: s.URL, TLS: without, Timeouts: long()}, reads(0)); e.Kind != history.Fail {
		t.Errorf("without a certificate: %s, want %s", e.Kind, history.Fail)
	}
}

func TestBadTLSFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	writePEM(t, empty, "NOTHING", nil)
	for want, f := range map[string]TLSFiles{
		"read authorities: open " + dir:              {CA: filepath.Join(dir, "none.pem")},
		"no certificate in " + empty:                 {CA: empty},
		"want both a certificate and its key":        {Cert: empty},
		"read client certificate " + empty + " with": {Cert: empty, Key: empty},
	} {
		if _, err := f.Load(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want one with %q", err, want)
		}
	}
}

// writeCertificate writes a certificate that signs itself, and its key.
func writeCertificate(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

func writePEM(t *testing.T, file, kind string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
}
