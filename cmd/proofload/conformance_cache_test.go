package main

import (
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// cacheRows are the faults that Redis is told to make. Its client is beside an
// instance of the service.
func cacheRows(s *stack.Stack) []chaostest.Row {
	const connect = `exec 3<>/dev/tcp/redis/6379 || exit 1
say() { printf '%s\r\n' "$*" >&3; read -r answer <&3; answer=${answer%$'\r'}; }
`
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
		{Kind: "redis-master-down", Probe: client(`say GET proofload:nothing; [ "$answer" = '$-1' ]`)},
	}
	for i := range rows {
		rows[i].Family, rows[i].Target = "redis", "redis"
	}
	return rows
}
