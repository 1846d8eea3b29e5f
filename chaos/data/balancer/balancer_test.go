package balancer

import (
	"testing"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestKinds(t *testing.T) {
	chaostest.TestKinds(t, Kinds(), sut.RoleBalancer, []chaostest.Given{
		{Kind: "http-status", Target: "lb", Values: map[string]string{"path": "/v2/transfers", "method": "POST", "share": "20%", "status": "429"}},
		{Kind: "http-status", Target: "lb", Values: map[string]string{"status": "418"}, Want: "status=418: want one of 429, 500, 502, 503, 504"},
		{Kind: "http-abort", Target: "lb", Values: map[string]string{"path": "v2"}, Want: "path=v2: want a path without a query"},
		{Kind: "http-abort", Target: "lb", Values: map[string]string{"path": "/a b"}, Want: "want a path without a query"},
		{Kind: "http-delay", Target: "lb", Values: map[string]string{"method": "get"}, Want: "method=get: want one of ANY, GET"},
		{Kind: "http-delay", Target: "lb", Values: map[string]string{"delay": "1m"}, Want: "delay=1m: want 1ms to 30s"},
		{Kind: "http-delay", Target: "lb", Values: map[string]string{"share": "0.5%"}, Want: "share=0.5%: want whole percents"},
		{Kind: "http-delay", Target: "lb", Values: map[string]string{"share": "120%"}, Want: "share=120%"},
		{Kind: "backend-down", Target: "lb", Values: map[string]string{"server": "api-1"}},
		{Kind: "backend-down", Target: "lb", Want: "the parameter server is missing"},
		{Kind: "backend-drain", Target: "lb", Values: map[string]string{"server": "api-1; shutdown"}, Want: "want a name"},
		{Kind: "backend-drain", Target: "worker", Values: map[string]string{"server": "api-1"}, Want: "backend-drain acts on lb, and worker-1 is worker"},
	})
}
