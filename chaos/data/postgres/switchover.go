package postgres

import "github.com/proofload/proofload/chaos"

// switchover hands leadership to another node, in an orderly way.
func switchover() chaos.Script {
	const agent = `
ask() { python3 -c '
import json, sys, time, urllib.error, urllib.request
def ask(path, body=None):
    return urllib.request.urlopen("http://127.0.0.1:8008" + path, body, timeout=25).read().decode()
leader = next(m["name"] for m in json.loads(ask("/cluster"))["members"] if m["role"] == "leader")
if "switch" not in sys.argv:
    print(leader)
    sys.exit()
over = time.monotonic() + 15
while True: # after a failover it takes a while until a replica has everything again
    try:
        print(ask("/switchover", json.dumps({"leader": leader}).encode()))
        break
    except urllib.error.HTTPError as refused:
        if time.monotonic() > over:
            sys.exit("its agent refuses: " + refused.read().decode())
        time.sleep(0.5)
' "$@"; }
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-switchover",
			About: "Tells the agent of the primary (Patroni) to hand over to a replica that has everything: sessions end, and writes wait for " +
				"the new primary.",
			Undone:  "Nothing is left to undo: another node is the primary, and this one follows it.",
			Touches: []string{chaos.TouchesProcess},
		},
		Roles:  onServers(),
		Save:   wantPrimary + agent + `out=$(ask 2>&1) || { echo "its agent does not answer: $out" | tail -n 1; exit 1; }`,
		Inject: agent + `ask switch`,
		Look:   shellSQL + `replica && echo "it is a replica"`,
		Undo:   `true`,
		Gone: shellSQL + `
want "not pg_is_in_recovery() or exists (select from pg_stat_wal_receiver where status = 'streaming')" "it is neither the primary nor follows it"
echo "it is the primary or follows it"`,
		By: "the role of the server",
	}
}
