package cache

import "github.com/proofload/proofload/chaos"

// shellSource defines source, which leaves a process that a Redis can be told to
// follow, and prints its port. It sends a data set that never ends, in pieces of
// more than the kilobyte after which Redis looks at its clients, a hundred in a
// second. They are auxiliary fields that Redis does not know, and so nothing of
// them is kept.
const shellSource = `
source() { PROOFLOAD_MARK="$ID" setsid perl -MIO::Socket::INET -e '
$| = 1; $SIG{PIPE} = "IGNORE"; alarm $ARGV[0];
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or exit 1;
print $listener->sockport; close STDOUT;
my $id = "0123456789" x 4;
while (my $replica = $listener->accept) {
	$replica->autoflush(1);
	while (<$replica>) {
		print $replica "+PONG\r\n" if /^PING/i;
		print $replica "+OK\r\n" if /^REPLCONF/i;
		last if /^PSYNC/i;
	}
	print $replica "+FULLRESYNC $id 0\r\n\$EOF:$id\r\nREDIS0009";
	my $field = "\xfa\x09proofload\x44\x00" . "x" x 1024;
	while (print $replica $field) { select undef, my $none, undef, 0.01 }
}' "$TTL" </dev/null 2>/dev/null & }
`

const (
	// saveLoading wants a master, and saves what the fault sets. Before Redis 7 it
	// cannot be said how often clients are looked at.
	saveLoading = shellMemory + `[ "$(info replication role)" = master ] || { echo "it is a replica already"; exit 1; }
command -v perl >/dev/null || { echo "there is no perl on its node"; exit 1; }
every=$(value loading-process-events-interval-bytes)
[ -n "$every" ] || { echo "it is older than Redis 7"; exit 1; }
echo "$(value repl-diskless-load) $every $(value replica-read-only) $(value replica-serve-stale-data)"`

	// loaded takes effect when Redis has noticed that nothing more comes.
	loaded = shellMemory + `set -- $SAVED; n=0
until cli replicaof no one; do n=$((n+1)); [ "$n" -lt 50 ] || exit 1; sleep 0.1; done
cli config set repl-diskless-load "$1" loading-process-events-interval-bytes "$2" replica-read-only "$3" replica-serve-stale-data "$4"`
)

// loading is what clients find after a restart with much data.
func loading() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "redis-loading",
			About: "Lets Redis load a data set that does not end, as after a restart with much data: it accepts connections, and refuses all " +
				"commands with LOADING. It follows a process on its node that sends it nothing of use, and keeps its own keys. Takes Redis 7, and perl on its node.",
			Undone: "The process is killed, and Redis is told that it is a master again; by a process left on its node when the time is over, or by its end. " +
				"No key is lost.",
			Touches: []string{touchesRole, touchesClients},
		},
		Roles: onCaches(),
		Save:  saveLoading,
		Inject: shellMemory + shellSource + chaos.ShellLater(loaded) + `
cli config set repl-diskless-load swapdb loading-process-events-interval-bytes 1024 replica-read-only no replica-serve-stale-data yes || exit 1
port=$(source); [ -n "$port" ] || { echo "it finds nothing to follow"; exit 1; }
cli replicaof 127.0.0.1 "$port"`,
		Look: shellRedis + write + `case "$p" in LOADING*) ;; *) exit 1 ;; esac`,
		Undo: chaos.ShellEnd + loaded,
		Gone: shellOver + shellMemory + written + ` && { [ "$(value appendonly)" = no ] || [ "$(info persistence aof_enabled)" = 1 ]; }`,
		By:   "a write of the probe",
	}
}
