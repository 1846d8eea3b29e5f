package stack

import (
	"context"
	"errors"
	"hash/fnv"
	"net"
	"strconv"
)

// Published ports are chosen here and not by the engine, which would choose
// anew whenever a container is restarted, and below the range from which
// kernels take the ports of outgoing connections, so that the load cannot
// occupy the port of a node that is down.
const (
	firstPort = 20000
	lastPort  = 31999
)

// freePorts returns n ports of 127.0.0.1 that nobody listens on. Stacks begin
// to look at different places, so that two that start at once do not meet.
func freePorts(ctx context.Context, id string, n int) ([]int, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	const span = lastPort - firstPort + 1
	start := int(h.Sum32() % span)
	var ports []int
	for i := 0; i < span && len(ports) < n; i++ {
		port := firstPort + (start+i)%span
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, errors.New("no free ports on 127.0.0.1")
	}
	return ports, nil
}
