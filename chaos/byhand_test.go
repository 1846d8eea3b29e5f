package chaos

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut"
)

// named is an environment of containers.
type named struct{}

func (named) Topology() sut.Topology {
	return sut.Topology{Nodes: []sut.Node{{Name: "redis"}, {Name: "redis-2"}}}
}
func (named) Endpoint(string) (string, bool)   { return "", false }
func (named) Close(context.Context) error      { return nil }
func (named) ContainerName(node string) string { return "shop_" + node + "_1" }

// TestByHand puts into commands what the engine understands.
func TestByHand(t *testing.T) {
	commands := []string{
		"docker unpause CONTAINER_OF_redis", "docker start CONTAINER_OF_redis-2",
		"nsenter --net --target PID_OF_redis-2 sh -c 'iptables -S'", "curl -X DELETE 'http://127.0.0.1/'",
	}
	want := []string{
		"docker unpause shop_redis_1", "docker start shop_redis-2_1",
		"nsenter --net --target $(docker inspect -f '{{.State.Pid}}' shop_redis-2_1) sh -c 'iptables -S'", "curl -X DELETE 'http://127.0.0.1/'",
	}
	if diff := cmp.Diff(want, byHand(named{}, commands)); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(commands, byHand(nil, commands)); diff != "" {
		t.Errorf("commands where there are no containers (-want +got):\n%s", diff)
	}
}
