package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// balancerRows are the faults of HTTP at the load balancer.
func balancerRows(s *stack.Stack) []chaostest.Row {
	const path = "/readyz"
	request := func(ctx context.Context) (bool, error) {
		base, ok := s.Endpoint("api")
		if !ok {
			return false, errors.New("no endpoint of the balancer")
		}
		return !getOK(ctx, base+path), ctx.Err()
	}
	rows := []chaostest.Row{
		{Kind: "http-status", Values: []string{"path=" + path, "method=GET"}, Probe: request},
		{Kind: "http-abort", Values: []string{"path=" + path}, Probe: request},
		{Kind: "http-delay", Values: []string{"path=" + path}, Probe: request},
		{Kind: "backend-down", Values: []string{"server=api-1"}, Probe: unserved(s, "api-1")},
		{Kind: "backend-drain", Values: []string{"server=api-1"}, Probe: unserved(s, "api-1")},
	}
	for i := range rows {
		rows[i].Family, rows[i].Target = "http", "lb"
	}
	return rows
}

// unserved is a probe that finds the service broken if of some requests through
// the balancer an instance answers none.
func unserved(s *stack.Stack, instance string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		base, ok := s.Endpoint("api")
		if !ok {
			return false, errors.New("no endpoint of the balancer")
		}
		for range 6 {
			asking, cancel := context.WithTimeout(ctx, probePatience)
			req, err := http.NewRequestWithContext(asking, http.MethodGet, base+"/v2/transfers", http.NoBody)
			if err != nil {
				cancel()
				return false, err
			}
			req.Close = true
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			cancel()
			if err == nil && resp.Header.Get("Ledger-Instance") == instance {
				return false, nil
			}
		}
		return true, ctx.Err()
	}
}
