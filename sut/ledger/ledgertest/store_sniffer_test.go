//go:build integration

package ledgertest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A planNode is a node of a plan as EXPLAIN writes it in JSON.
type planNode struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []planNode
}

// A plan is how the server executed a statement.
type plan struct {
	Query string   `json:"Query Text"`
	Root  planNode `json:"Plan"`
}

// nodes calls visit with all nodes of a plan.
func (n *planNode) nodes(visit func(*planNode)) {
	visit(n)
	for i := range n.Plans {
		n.Plans[i].nodes(visit)
	}
}

// A sniffer is a way to the database on which every statement is explained as
// it was executed, with the values of its parameters, and so is every statement
// that a trigger or a foreign key executes for it. The server tells in notices,
// which pass the sniffer before the result does.
type sniffer struct {
	t        *testing.T
	upstream string
	addr     string

	mu    sync.Mutex
	plans []plan
}

func newSniffer(t *testing.T) *sniffer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the test's clean-up
	if err != nil {
		t.Fatal(err)
	}
	s := &sniffer{t: t, upstream: databaseAddr(t), addr: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait() // the connections end with their pool
	})
	return s
}

// urlOf returns the URL of a database by way of the sniffer.
func (s *sniffer) urlOf(direct string) string {
	u, err := url.Parse(direct)
	if err != nil {
		s.t.Fatal(err)
	}
	u.Host = s.addr
	q := u.Query()
	q.Set("sslmode", "disable")
	q.Set("options", strings.Join([]string{
		"-c session_preload_libraries=auto_explain", "-c auto_explain.log_min_duration=0", "-c auto_explain.log_analyze=on",
		"-c auto_explain.log_timing=off", "-c auto_explain.log_nested_statements=on", "-c auto_explain.log_format=json",
		"-c auto_explain.log_level=notice", "-c client_min_messages=notice",
	}, " "))
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // the driver takes a plus for one
	return u.String()
}

func (s *sniffer) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", s.upstream) //nolint:noctx // closed when the client hangs up
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	for {
		var head [5]byte // kind and length, of every message of a server
		if _, err := io.ReadFull(server, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'N' {
			s.notice(body)
		}
		if _, err := client.Write(append(head[:], body...)); err != nil {
			return
		}
	}
}

// notice keeps the plan that a notice tells, if it does.
func (s *sniffer) notice(body []byte) {
	for field := range bytes.SplitSeq(body, []byte{0}) {
		text, ok := bytes.CutPrefix(field, []byte("Mduration: "))
		if !ok {
			continue
		}
		_, text, _ = bytes.Cut(text, []byte("plan:\n"))
		var p plan
		if err := json.Unmarshal(text, &p); err != nil {
			s.t.Errorf("read plan %s: %v", text, err)
			return
		}
		s.mu.Lock()
		s.plans = append(s.plans, p)
		s.mu.Unlock()
	}
}

// take returns the plans since the last call.
func (s *sniffer) take() []plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	plans := s.plans
	s.plans = nil
	return plans
}
