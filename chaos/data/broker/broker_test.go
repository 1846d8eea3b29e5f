package broker

import (
	"testing"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestKinds(t *testing.T) {
	chaostest.TestKinds(t, Kinds(), sut.RoleBroker, []chaostest.Given{
		{Kind: "rabbit-unbind", Target: "rabbitmq", Values: map[string]string{"queue": "ledger.settlement"}},
		{Kind: "rabbit-unbind", Target: "rabbitmq", Want: "the parameter queue is missing"},
		{Kind: "rabbit-unbind", Target: "rabbitmq", Values: map[string]string{"queue": `a"; halt().`}, Want: "want letters, digits"},
		{Kind: "rabbit-deny", Target: "rabbitmq", Values: map[string]string{"user": "$(reboot)"}, Want: "want letters, digits"},
		{Kind: "rabbit-poison", Target: "rabbitmq", Values: map[string]string{"queue": "q", "every": "1ms"}, Want: "every=1ms: want 10ms to 5s"},
		{Kind: "rabbit-flood", Target: "rabbitmq", Values: map[string]string{"messages": "1000000"}, Want: "messages=1000000: want 100000 at most"},
		{Kind: "rabbit-flood", Target: "rabbitmq", Values: map[string]string{"messages": "100000", "size": "1MiB"}, Want: "100000 messages of 1MiB are 100000 MiB: want 1024 MiB at most"},
		{Kind: "rabbit-stop-app", Target: "worker", Want: "rabbit-stop-app acts on rabbitmq, and worker-1 is worker"},
	})
}
