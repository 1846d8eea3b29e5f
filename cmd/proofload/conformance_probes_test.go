package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// probePatience is how long a probe waits for an answer.
const probePatience = 800 * time.Millisecond

// answers is a probe that finds a process of the service broken if it does not
// answer soon.
func answers(s *stack.Stack, node string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		base, ok := s.Endpoint("http/" + node)
		if !ok {
			return false, fmt.Errorf("no endpoint of %s", node)
		}
		return !getOK(ctx, base+"/readyz"), nil
	}
}

// wrongDate is a probe that finds a process of the service broken if the Date of
// its answers is half a minute off.
func wrongDate(s *stack.Stack, node string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		base, ok := s.Endpoint("http/" + node)
		if !ok {
			return false, fmt.Errorf("no endpoint of %s", node)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/livez", http.NoBody)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		_ = resp.Body.Close()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		return time.Until(date).Abs() > 30*time.Second, err
	}
}

// getOK reports whether a request is answered by 200 soon, on a connection of
// its own.
func getOK(ctx context.Context, url string) bool {
	asking, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	req, err := http.NewRequestWithContext(asking, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// besideNode is a probe that runs a command in the network of a node, and finds its
// target broken if that fails or takes long.
func besideNode(s *stack.Stack, node, command string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		_, err := s.NetExec(ctx, node, "timeout", fmt.Sprint(probePatience.Seconds()), "bash", "-c", command)
		return err != nil, ctx.Err()
	}
}

// insideNode is a probe that runs a command inside a node, and finds it broken if
// that fails.
func insideNode(s *stack.Stack, node, command string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		_, err := s.NodeExec(ctx, node, nil, "sh", "-c", command)
		return err != nil, ctx.Err()
	}
}

// redisEcho returns a command that succeeds if Redis at an address sends back
// four kilobytes.
func redisEcho(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return `exec 3<>/dev/tcp/` + host + `/` + port + `
printf '*2\r\n$4\r\nECHO\r\n$4096\r\n%04096d\r\n' 0 >&3
[ "$(head -c 4105 <&3 | wc -c)" = 4105 ]`
}

// echoes is a probe that sends four kilobytes to Redis over a link and wants
// them back.
func echoes(s *stack.Stack, link, from string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		address, err := linkAddress(ctx, s, link)
		if err != nil {
			return false, err
		}
		return besideNode(s, from, redisEcho(address))(ctx)
	}
}

// linkAddress returns where the nodes of a stack dial to use a link.
func linkAddress(ctx context.Context, s *stack.Stack, link string) (string, error) {
	base, ok := s.LinkControl(link)
	if !ok {
		return "", fmt.Errorf("no link %s", link)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/proxies/link", http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var proxy struct{ Listen string }
	if err := json.NewDecoder(resp.Body).Decode(&proxy); err != nil {
		return "", fmt.Errorf("read where %s listens: %w", link, err)
	}
	return "linkd" + proxy.Listen[strings.LastIndex(proxy.Listen, ":"):], nil
}

// busier is a probe that finds a node broken if it takes a good part of a
// processor, by what the kernel counts for its control group in microseconds or
// nanoseconds.
func busier(s *stack.Stack, node string) chaostest.Probe {
	return insideNode(s, node, `
used() { sed -n 's/^usage_usec \(.*\)/\1/p' /sys/fs/cgroup/cpu.stat 2>/dev/null || echo $(($(cat /sys/fs/cgroup/cpuacct/cpuacct.usage)/1000)); }
a=$(used); sleep 0.4; b=$(used); [ "$((b-a))" -lt 80000 ]`)
}

// bigger is a probe that finds a node broken if it takes so much more memory
// than when it was asked first.
func bigger(s *stack.Stack, node string, by int64) chaostest.Probe {
	first := int64(0)
	return func(ctx context.Context) (bool, error) {
		u, err := s.Usage(ctx, node)
		if first == 0 {
			first = u.Memory
		}
		return u.Memory > first+by, err
	}
}

// slower is a probe that finds a node broken if a calculation there gets little
// of a processor.
func slower(s *stack.Stack, node string) chaostest.Probe {
	const script = `a=$(date +%s%N); i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; b=$(date +%s%N); echo $((b-a)); times`
	return func(ctx context.Context) (bool, error) {
		out, err := s.NodeExec(ctx, node, nil, "sh", "-c", script)
		if err != nil {
			return false, err
		}
		fields := strings.Fields(out) // 52123456 0m0.050000s 0m0.000000s ...
		if len(fields) < 2 {
			return false, fmt.Errorf("read times from %q", out)
		}
		took, err := time.ParseDuration(fields[0] + "ns")
		if err != nil {
			return false, err
		}
		used, err := time.ParseDuration(fields[1])
		return used < took/4, err
	}
}

// written is a probe that finds a directory of a node broken if some file there
// was written a moment ago.
func written(s *stack.Stack, node, dir string) chaostest.Probe {
	return insideNode(s, node, `[ -z "$(find `+dir+` -type f -newermt '-1 seconds')" ]`)
}
