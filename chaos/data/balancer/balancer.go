// Package balancer breaks HTTP at HAProxy, by its runtime API.
//
// The balancer has to be prepared: its runtime API listens on port 9999 of the
// node itself, and it answers, delays or drops requests as a map says whose keys
// are paths (/etc/haproxy/faults.map), and counts which fault was hit how often in
// a table called hits. Without faults that costs each request one lookup in an
// empty map.
//
// What is injected is in the memory of the balancer, and so dies with it. A
// process that is left beside it ends it when its time is over.
package balancer

import (
	"fmt"
	"regexp"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		status().Bounded(matching(chaos.OneOf("status", statuses()...))...),
		abort().Bounded(matching()...),
		delay().Bounded(matching(chaos.Between("delay", time.Millisecond, 30*time.Second))...),
		backend("backend-down", "Takes a server out of the balancer, as an operator does (maint): it gets no requests, and the connections to it are closed.", "maint", "MAINT").Bounded(server()...),
		backend("backend-drain", "Drains a server of the balancer: it finishes the requests that it has, and gets no more.", "drain", "DRAIN").Bounded(server()...),
	}
}

// What these faults touch of their targets.
const (
	touchesRequests = "requests"
	touchesServers  = "servers"
)

func onBalancers() []sut.Role { return []sut.Role{sut.RoleBalancer} }

// statuses are those that the balancer is prepared to answer with.
func statuses() []string { return []string{"429", "500", "502", "503", "504"} }

func methods() []string {
	return []string{"ANY", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

// matchParams say which requests are hit.
func matchParams(more ...chaos.Param) []chaos.Param {
	return append(more,
		chaos.Param{Name: "path", Measure: chaos.Text, Default: "/", About: "what the path begins with"},
		chaos.Param{Name: "method", Measure: chaos.Text, Default: "ANY", About: "of the request"},
		chaos.Param{Name: "share", Measure: chaos.Percent, Default: "100%", About: "of the requests that match"},
	)
}

// matching bounds what says which requests are hit, and others beside.
func matching(others ...chaos.Bound) []chaos.Bound {
	return append(others,
		chaos.Like("path", regexp.MustCompile(`^/[A-Za-z0-9_./~-]{0,200}$`), "a path without a query, for example /v2/transfers"),
		chaos.OneOf("method", methods()...),
		chaos.Bound{Param: "share", May: "whole percents", Check: wholePercents},
	)
}

func wholePercents(k chaos.Kind, p chaos.Params) error {
	if share := k.Percent(p, "share"); share != float64(int(share)) {
		return fmt.Errorf("%s: the parameter share=%s: want whole percents", k.Name, k.Value(p, "share"))
	}
	return nil
}

// server wants the names of a back end and a server of it.
func server() []chaos.Bound {
	pattern := regexp.MustCompile(`^[A-Za-z0-9_.-]{1,80}$`)
	const may = "a name as the configuration has it, for example api-1"
	return []chaos.Bound{chaos.Like("backend", pattern, may), chaos.Like("server", pattern, may)}
}

const (
	// shellBalancer defines tell, which prints what the balancer says to a command
	// and fails if it says something where it is to say nothing, and see, which
	// sends a request that is the probe's.
	shellBalancer = `
ask() { timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999 && echo "$1" >&3 && cat <&3' ask "$1" 2>/dev/null | grep . ; }
tell() { said=$(ask "$1"); [ -z "$said" ] || { echo "$said"; return 1; }; }
port() { sed -n 's/^ *bind .*:\([0-9]*\).*/\1/p' /etc/haproxy/haproxy.cfg | head -n 1; }
see() {
	began=$(date +%s%N)
	head=$(timeout "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1 || exit 1
		printf "%s %s HTTP/1.0\r\nProofload-Probe: 1\r\n\r\n" "$2" "$3" >&3; head -n 1 <&3' see "$(port)" "$METHOD" "$P_PATH" 2>/dev/null | tr -d '\r')
	ms=$((($(date +%s%N) - began) / 1000000))
	echo "a request of the probe got ${head:-no answer} after $ms ms"
}
METHOD=$P_METHOD; [ "$METHOD" != ANY ] || METHOD=GET
`
	faults    = "/etc/haproxy/faults.map"
	untouched = `case "$head" in *" 204 "*) ;; *) exit 1 ;; esac`
)

// byPath is a fault of the requests to a path.
func byPath(k chaos.Kind, action, ms, look string) chaos.Script {
	remove := shellBalancer + `
ask "show map ` + faults + `" | grep -q " $P_PATH ` + action + `:" || exit 0
tell "del map ` + faults + ` $P_PATH"`
	k.Undone = "The entry of the map is deleted; by a process left on the node when the time is over, or by the balancer's end."
	k.Touches = []string{touchesRequests}
	return chaos.Script{
		Kind: k, Roles: onBalancers(),
		Save: shellBalancer + `
[ -f ` + faults + ` ] && ask "show info" | grep -q '^Name: HAProxy' || { echo "this balancer is not prepared for faults of requests"; exit 1; }
if ask "show map ` + faults + `" | grep -q " $P_PATH "; then echo "requests to $P_PATH have a fault already"; exit 1; fi`,
		Inject: shellBalancer + chaos.ShellLater(remove) + `
share=${P_SHARE%.*}
tell "add map ` + faults + ` $P_PATH ` + action + `:$share:$P_METHOD:` + ms + `:$ID"`,
		Look: shellBalancer + look,
		Met: shellBalancer + `
n=$(ask "show table hits key $ID" | sed -n 's/.* gpc0=\([0-9]*\).*/\1/p')
echo "${n:-0} requests of others hit it"; [ "${n:-0}" -gt 0 ]`,
		Undo: chaos.ShellEnd + remove,
		Gone: `(` + chaos.ShellEnded + `) || exit 1` + shellBalancer + `see 2; ` + untouched,
		By:   "a request of the probe, which the balancer answers itself",
	}
}

// status answers instead of the service.
func status() chaos.Script {
	return byPath(chaos.Kind{
		Name:   "http-status",
		About:  "Lets the balancer answer a share of the requests with an error itself; they do not reach the service.",
		Params: matchParams(chaos.Param{Name: "status", Measure: chaos.Text, Default: "503", About: "of the answer"}),
	}, "$P_STATUS", "0", `see 2; case "$head" in *" $P_STATUS "*) ;; *) exit 1 ;; esac`)
}

// abort closes connections.
func abort() chaos.Script {
	return byPath(chaos.Kind{
		Name:   "http-abort",
		About:  "Lets the balancer close the connection of a share of the requests without an answer; they do not reach the service.",
		Params: matchParams(),
	}, "abort", "0", `see 2; [ -z "$head" ]`)
}

// delay holds requests back.
func delay() chaos.Script {
	return byPath(chaos.Kind{
		Name:   "http-delay",
		About:  "Lets the balancer hold a share of the requests back before they go to the service.",
		Params: matchParams(chaos.Param{Name: "delay", Measure: chaos.Duration, Default: "1s", About: "how long"}),
	}, "delay", "$P_DELAY", `see 35; `+untouched+`; [ "$ms" -ge "$P_DELAY" ]`)
}

// backend sets the state of a server.
func backend(name, about, state, shown string) chaos.Script {
	const ready = shellBalancer + `tell "set server $P_BACKEND/$P_SERVER state ready"`
	const look = shellBalancer + `
shown=$(ask "show stat" | awk -F , -v b="$P_BACKEND" -v s="$P_SERVER" '
	/^# / { for (i = 1; i <= NF; i++) if ($i == "status") c = i }
	$1 == b && $2 == s { print $c }')
echo "$P_BACKEND/$P_SERVER is ${shown:-not there}"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: name, About: about,
			Undone:  "The server is set to ready; by a process left on the node when the time is over, or by the balancer's end.",
			Touches: []string{touchesServers},
			Params: []chaos.Param{
				{Name: "server", Measure: chaos.Text, About: "the server, for example api-1"},
				{Name: "backend", Measure: chaos.Text, Default: "api", About: "the back end that it is of"},
			},
		},
		Roles: onBalancers(),
		Save: look + `
case "$shown" in MAINT*|DRAIN*|"") exit 1 ;; esac`,
		Inject: shellBalancer + chaos.ShellLater(ready) + `tell "set server $P_BACKEND/$P_SERVER state ` + state + `"`,
		Look:   look + `case "$shown" in ` + shown + `*) ;; *) exit 1 ;; esac`,
		Undo:   chaos.ShellEnd + ready,
		Gone:   `(` + chaos.ShellEnded + `) || exit 1` + look + `case "$shown" in UP*|"no check"*) ;; *) exit 1 ;; esac`,
		By:     "statistics of the balancer",
	}
}
