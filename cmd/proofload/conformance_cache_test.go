package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// cacheRows are the faults that Redis is told to make. Its client is beside an
// instance of the service.
func cacheRows(s *stack.Stack) []chaostest.Row {
	const connect = `exec 3<>/dev/tcp/redis/6379 || exit 1` + sayRedis
	client := func(commands string) chaostest.Probe { return besideNode(s, "api-1", connect+commands) }
	writes := client(`say SET proofload:client 1 PX 500; [ "$answer" = +OK ]`)
	rows := []chaostest.Row{
		{Kind: "redis-pause-writes", Probe: writes},
		{
			Kind: "redis-flush", Values: []string{"every=200ms"},
			Probe: client(`say SET proofload:kept 1 PX 5000; sleep 0.4; say EXISTS proofload:kept; [ "$answer" = :1 ]`),
		},
		{
			Kind: "redis-kill-clients", Values: []string{"every=200ms"},
			Probe: client(`read -r -t 0.4 answer <&3; [ $? -gt 128 ]`),
		},
		{
			Kind: "redis-slow", Values: []string{"delay=500ms"},
			Probe: client(`begin=$(date +%s%N); say PING; [ $(($(date +%s%N) - begin)) -lt 150000000 ]`),
		},
		{Kind: "redis-oom", Probe: writes},
		{
			Kind: "redis-evict",
			Probe: insideNode(s, "redis", `
evicted() { redis-cli info stats | grep evicted_keys; }
before=$(evicted); head -c 65536 /dev/zero | redis-cli -x set proofload:client >/dev/null; redis-cli del proofload:client >/dev/null
[ "$before" = "$(evicted)" ]`),
		},
		{Kind: "redis-read-only", Probe: writes},
		{Kind: "redis-loading", Probe: keeps(
			client(`say SET proofload:lasting 1 EX 600; [ "$answer" = +OK ]`), client(`say EXISTS proofload:lasting; [ "$answer" = :1 ]`),
		)},
		{Kind: "redis-failover", Probe: takenOver(s, "redis", "api-1"), Lasts: 5 * time.Second},
		{Kind: "redis-master-down", Probe: client(`say GET proofload:nothing; [ "$answer" = '$-1' ]`)},
	}
	for i := range rows {
		rows[i].Family, rows[i].Target = "redis", "redis"
	}
	return rows
}

// keeps is a probe that writes once and reads from then on: what cannot be read,
// or is not there any more, is broken.
func keeps(write, read chaostest.Probe) chaostest.Probe {
	there := false
	return func(ctx context.Context) (bool, error) {
		if there {
			return read(ctx)
		}
		broken, err := write(ctx)
		there = err == nil && !broken
		return broken, err
	}
}

// takenOver is a probe that finds a Redis broken if what a client writes over its
// link is answered by another one. Nobody may leave it without an answer for long.
func takenOver(s *stack.Stack, node, from string) chaostest.Probe {
	const ask = `say SET proofload:client 1 PX 500; [ "$answer" = +OK ] || exit 1
printf 'INFO server\r\nQUIT\r\n' >&3; grep -a run_id <&3`
	return func(ctx context.Context) (bool, error) {
		id, err := s.NodeExec(ctx, node, nil, "sh", "-c", "redis-cli info server | grep run_id")
		if err != nil {
			return false, err
		}
		address, err := linkAddress(ctx, s, from+"->"+node)
		if err != nil {
			return false, err
		}
		connect := `exec 3<>/dev/tcp/` + strings.Replace(address, ":", "/", 1) + ` || exit 1` + sayRedis
		soon, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("no client could write for 10 s"))
		defer cancel()
		answeredBy := ""
		err = chaos.Watch(soon, func(ctx context.Context) error {
			answeredBy, err = s.NetExec(ctx, from, "timeout", "1", "bash", "-c", connect+ask)
			return err
		})
		return strings.TrimSpace(answeredBy) != strings.TrimSpace(id), err
	}
}

// sayRedis defines say, which sends a command and reads one line of its answer.
const sayRedis = `
say() { printf '%s\r\n' "$*" >&3; read -r answer <&3; answer=${answer%$'\r'}; }
`
