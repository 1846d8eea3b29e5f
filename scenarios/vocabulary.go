package scenarios

import "slices"

// A Verb is what an entry of the timeline does.
type Verb struct {
	Name  string
	Fault bool   // breaks something, and so can have an end and a recovery
	Takes string // what its value is: a component, an event, text or a statement
	About string // one sentence
}

// What the value of a verb is.
const (
	TakesComponent = "component"
	TakesEvent     = "event"
	TakesText      = "text"
	TakesStatement = "statement" // of SQL, for the component that on: names
	TakesCommand   = "command"   // of a shell, for the component that on: names
	TakesRequest   = "request"   // of HTTP: a method and a path
)

// The verbs that are not faults. Every other verb is the name of a fault.
const (
	VerbStart   = "start"
	VerbHeal    = "heal"
	VerbBackup  = "backup"
	VerbRestore = "restore"
	VerbNote    = "note"
	VerbGate    = "gate"
	VerbMark    = "mark"
	VerbSQL     = "sql"
	VerbExec    = "exec"
	VerbHTTP    = "http"
	VerbScale   = "scale"
)

// Verbs lists the verbs of the language. Which of the faults can be carried
// out is for the catalogue to say.
func Verbs() []Verb {
	return slices.Concat(hostVerbs(), dataVerbs(), otherVerbs())
}

// hostVerbs are the faults of links, networks, processes and what they run on.
func hostVerbs() []Verb {
	return []Verb{
		{"stall", true, TakesComponent, "Let connections live but nothing pass over a link."},
		{"lose", true, TakesComponent, "Cut a node off the network and then kill it: no goodbye reaches anybody."},
		{"kill", true, TakesComponent, "Kill all processes of a node with SIGKILL."},
		{"stop", true, TakesComponent, "End all processes of a node in an orderly way with SIGTERM."},
		{"pause", true, TakesComponent, "Freeze all processes of a node."},
		{"partition", true, TakesComponent, "Cut nodes off the network; their processes go on."},
		{"latency", true, TakesComponent, "Delay everything that passes over a link."},
		{"bandwidth", true, TakesComponent, "Limit how fast data passes over each connection of a link."},
		{"slice", true, TakesComponent, "Cut the data on a link into small pieces."},
		{"limit", true, TakesComponent, "Close each connection of a link after so many bytes."},
		{"half-open", true, TakesComponent, "Let the peer of a link vanish: nothing answers, and no connection ends."},
		{"link-reset", true, TakesComponent, "Reset each connection of a link, those there are and those that come."},
		{"link-down", true, TakesComponent, "Close all connections of a link and refuse new ones."},
		{"packet-loss", true, TakesComponent, "Drop a share of the packets of a node."},
		{"packet-reset", true, TakesComponent, "Answer the TCP packets of a node with an RST."},
		{"dns-fail", true, TakesComponent, "Let names fail to resolve on a node, at once."},
		{"dns-timeout", true, TakesComponent, "Let names take until a timeout to fail to resolve on a node."},
		{"packet-delay", true, TakesComponent, "Delay the packets that leave a node, where the kernel has netem."},
		{"packet-corruption", true, TakesComponent, "Corrupt a share of the packets that leave a node, where the kernel has netem."},
		{"packet-duplication", true, TakesComponent, "Send a share of the packets that leave a node twice, where the kernel has netem."},
		{"packet-reordering", true, TakesComponent, "Let a share of the packets that leave a node overtake the others, where the kernel has netem."},
		{"cpu-hog", true, TakesComponent, "Keep processors busy inside a node."},
		{"cpu-throttle", true, TakesComponent, "Leave a node only a share of one processor."},
		{"memory-hog", true, TakesComponent, "Fill memory inside a node."},
		{"memory-limit", true, TakesComponent, "Leave a node less memory."},
		{"disk-full", true, TakesComponent, "Fill a file system of a node that is in memory."},
		{"zone-outage", true, TakesComponent, "Lose all nodes of a zone together."},
		{"restart", true, TakesComponent, "End all processes of a node in an orderly way and start it again at once."},
		{"crash-loop", true, TakesComponent, "Kill a node again after every short life."},
		{"disk-hog", true, TakesComponent, "Keep the disk of a node busy with writes."},
		{"disk-slow", true, TakesComponent, "Throttle what a node writes to its disk."},
		{"fd-exhaust", true, TakesComponent, "Leave the main process of a node no file descriptors."},
		{"clock-offset", true, TakesComponent, "Set the time of day that a node's processes are told off."},
	}
}

// dataVerbs are the faults that databases, caches, brokers and balancers are told to
// make.
func dataVerbs() []Verb {
	return []Verb{
		{"pg-terminate", true, TakesComponent, "Terminate the sessions of a role on a Postgres node, again and again."},
		{"pg-exhaust-connections", true, TakesComponent, "Take all connections of a Postgres node that are not reserved for superusers."},
		{"pg-lock-table", true, TakesComponent, "Lock a table of Postgres against everybody."},
		{"pg-slow-queries", true, TakesComponent, "Make statements on a table of Postgres wait for a while each."},
		{"pg-idle-in-transaction", true, TakesComponent, "Leave a transaction open in Postgres that has locked rows of a table."},
		{"pg-fill-slot", true, TakesComponent, "Keep write-ahead log of Postgres for a replication slot that nobody reads from."},
		{"pg-checkpoint-storm", true, TakesComponent, "Make a Postgres node write checkpoints all the time."},
		{"pg-pause-replay", true, TakesComponent, "Let a replica of Postgres receive changes and not show them."},
		{"pg-read-only", true, TakesComponent, "Make all transactions of a Postgres node read-only."},
		{"pg-sync-standby-missing", true, TakesComponent, "Let each commit of Postgres wait for a standby that does not exist."},
		{"pg-slow-commits", true, TakesComponent, "Make Postgres wait before it writes a commit to its disk."},
		{"pg-fail-archiving", true, TakesComponent, "Make the archiving of write-ahead log of Postgres fail."},
		{"pg-switchover", true, TakesComponent, "Let the primary of Postgres hand over to a replica, in an orderly way."},
		{"backup-corrupt", true, TakesComponent, "Damage the newest backup of Postgres, in a copy that restores are led to."},
		{"backup-remove-wal", true, TakesComponent, "Take the newest backup of Postgres the log that it needs, in a copy that restores are led to."},
		{"pgbouncer-pause", true, TakesComponent, "Pause a database of PgBouncer: transactions wait."},
		{"pgbouncer-kill", true, TakesComponent, "Drop all connections of a database of PgBouncer; who connects again waits."},
		{"pgbouncer-disable", true, TakesComponent, "Make PgBouncer turn away who connects to a database."},
		{"pgbouncer-shrink-pool", true, TakesComponent, "Leave the pools of PgBouncer fewer connections to the server."},
		{"redis-pause-writes", true, TakesComponent, "Hold all writes to Redis back."},
		{"redis-flush", true, TakesComponent, "Delete all keys of Redis, again and again."},
		{"redis-kill-clients", true, TakesComponent, "Close all connections of clients to Redis, again and again."},
		{"redis-slow", true, TakesComponent, "Keep the one thread of Redis busy, again and again."},
		{"redis-oom", true, TakesComponent, "Let Redis have no memory left for writes."},
		{"redis-evict", true, TakesComponent, "Leave Redis less memory than it has in use."},
		{"redis-read-only", true, TakesComponent, "Make Redis a replica that refuses writes."},
		{"redis-loading", true, TakesComponent, "Let Redis refuse all commands, as while it loads its data."},
		{"redis-failover", true, TakesComponent, "Let the replica of a Redis take over, and lead its clients there."},
		{"redis-master-down", true, TakesComponent, "Make Redis a replica that has lost its master and refuses everything."},
		{"rabbit-memory-alarm", true, TakesComponent, "Let RabbitMQ believe that it has run out of memory."},
		{"rabbit-disk-alarm", true, TakesComponent, "Let RabbitMQ believe that its disk is full."},
		{"rabbit-close-connections", true, TakesComponent, "Close all connections of clients to RabbitMQ, again and again."},
		{"rabbit-stop-app", true, TakesComponent, "Stop RabbitMQ in its virtual machine, as an upgrade does."},
		{"rabbit-unbind", true, TakesComponent, "Remove the bindings of a queue of RabbitMQ."},
		{"rabbit-deny", true, TakesComponent, "Take a user of RabbitMQ all permissions."},
		{"rabbit-consumer-stall", true, TakesComponent, "Let one more consumer of a queue of RabbitMQ acknowledge nothing."},
		{"rabbit-poison", true, TakesComponent, "Put messages into a queue of RabbitMQ that no consumer understands."},
		{"rabbit-flood", true, TakesComponent, "Fill a queue of RabbitMQ that nobody takes from."},
		{"http-status", true, TakesComponent, "Let the load balancer answer a share of the requests with an error."},
		{"http-abort", true, TakesComponent, "Let the load balancer close the connection of a share of the requests."},
		{"http-delay", true, TakesComponent, "Let the load balancer hold a share of the requests back."},
		{"backend-down", true, TakesComponent, "Take a server out of the load balancer."},
		{"backend-drain", true, TakesComponent, "Drain a server of the load balancer."},
	}
}

// otherVerbs break nothing.
func otherVerbs() []Verb {
	return []Verb{
		{VerbStart, false, TakesComponent, "Start a node that is down."},
		{VerbHeal, false, TakesEvent, "End a fault, given by the name of its entry."},
		{VerbBackup, false, TakesComponent, "Take a full backup of the database, or one that is incremental: what has changed since the one before it. From the first one on, its log is archived."},
		{VerbRestore, false, TakesComponent, "Restore the newest backup beside the running database, record what the copy holds, and remove it."},
		{VerbSQL, false, TakesStatement, "Carry out statements on the database node that on: names, as its superuser; what they change stays changed."},
		{VerbExec, false, TakesCommand, "Run a command inside the nodes that on: names, one after another, as their most powerful user; what it changes stays changed."},
		{VerbHTTP, false, TakesRequest, "Send a request to the target, or to the node that on: names; what it changes stays changed."},
		{VerbScale, false, TakesComponent, "Leave as many nodes of a role running as with: {nodes: N} says: the others are ended in an orderly way, and started by another scale, after for:, or at the end of the run."},
		{VerbNote, false, TakesText, "Put a text into the record of the run."},
		{VerbMark, false, TakesText, "Give this moment a name, which the record of the run has."},
		{VerbGate, false, TakesText, "Ask people whether to go on. Until then the clock stands still and the load goes on as it is; the run is stopped if they do not say so in time."},
	}
}

// lasts reports whether a verb is one that takes its time: of an entry that does
// something, and is no more than a moment.
func (v Verb) lasts() bool { return v.Takes != TakesText }

// does reports whether a verb is one whose value says what is to be done, and
// which no undo takes back.
func (v Verb) does() bool {
	return slices.Contains([]string{TakesStatement, TakesCommand, TakesRequest}, v.Takes)
}

// example is a component that a verb can be carried out on.
func (v Verb) example() string {
	if v.Takes == TakesStatement {
		return "postgres.primary"
	}
	return "app[1]"
}

// Asks lists the verbs beside the faults that the owner of a system may want to
// allow or not: those that can change anything.
func Asks() []string {
	var names []string
	for _, v := range otherVerbs() {
		if v.does() || v.Name == VerbScale {
			names = append(names, v.Name)
		}
	}
	return names
}

// disturbers lists the verbs beside the faults after which clients may have to be
// served again, or, of every other metric of faults, lose what was acknowledged.
func disturbers(metric string) []string {
	if metric == "rto" {
		return append(Asks(), VerbStart, VerbHeal)
	}
	return Asks()
}

// LookupVerb returns the verb of that name.
func LookupVerb(name string) (Verb, bool) {
	verbs := Verbs()
	i := slices.IndexFunc(verbs, func(v Verb) bool { return v.Name == name })
	if i < 0 {
		return Verb{}, false
	}
	return verbs[i], true
}

// verbNames lists the verbs for messages.
func verbNames() []string {
	var names []string
	for _, v := range Verbs() {
		names = append(names, v.Name)
	}
	return names
}

// A Check is something that verify: can ask for.
type Check struct {
	Name  string
	About string
}

// Checks lists what verify: can ask for.
func Checks() []Check {
	return []Check{
		{"acknowledged-writes", "Every write that was acknowledged is in the store, as it was acknowledged."},
		{"observed-writes", "No write that a client was shown is gone, though nobody was told that it had happened."},
		{"no-duplicates", "No write took effect more than once."},
		{"balances", "All postings sum to zero and every balance is the sum of its postings, at the end and in snapshots during the run."},
		{"counter-bounds", "What was moved lies between what was acknowledged and what may have happened beside it."},
		{"read-your-writes", "A client finds what it has written itself."},
		{"monotonic-reads", "A client is never shown an older version than it has seen before."},
		{"linearizable", "The writes of each account, one after another in some order, explain what strong reads were shown."},
		{"snapshots-in-order", "Answers that show several things at once fit in one order of what happened: no two of them each lack what the other shows."},
		{"fresh-reads", "Reads of a database are no older than they may be, and strong ones not old at all."},
		{"cache-coherent", "Copies in a cache are no older than they may be."},
		{"one-primary", "Exactly one database node is primary and the others follow it."},
		{"replicas-agree", "Every replica holds what the primary holds."},
		{"jobs-done", "No background work is left over or was given up."},
		{"dead-letters", "What workers gave up is kept, each with its reason."},
		{"subscribers", "Everybody who has to learn of every write did."},
		{"instances-recover", "Every instance of the service serves again, not only most of them."},
		{"faults-proven", "Every fault was seen to take effect and seen to be gone."},
		{"retry-amplification", "Operations cause no more attempts further down than a few times as many as in calm."},
		{"goodput-returns", "Once the last fault is gone, clients are served again, stay served, and wait no longer than before."},
		{"orphaned-work", "No instance goes on working for clients that are gone."},
		{"timeouts-hold", "The system says something before its client gives up."},
		{"refusals-hold", "What a client may not do is refused, and limits hold, also while something is broken."},
		{"answers-right", "No answer that promises success says something else than was asked for, and no request that was acknowledged is refused when it is sent again."},
		{restoredWrites, "What a restore brings back is what had happened up to its moment: nothing of that is missing, and nothing else is there."},
	}
}

// checkNames lists the checks for messages.
func checkNames() []string {
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
	}
	return names
}

// BaselinePrefix is what the name of a baseline begins with.
const BaselinePrefix = "baseline/"

// compared lists the metrics that runs are compared by.
func compared() []string { return []string{"p50", "p90", "p99", "errors"} }

// A measure is what the limit of a metric is written in.
type measure int

const (
	timeMeasure    measure = iota // a duration, kept in ms
	percentMeasure                // a percentage, kept in percent
	countMeasure                  // a whole number
)

// A metric is something an objective can limit.
type metric struct {
	name    string
	measure measure
	event   bool // of an event; otherwise of a phase
	step    bool // of an event that is no fault and takes its time
	fault   bool // of an event that is a fault
	lower   bool // the limit is a lower one
}

// metrics lists what objectives can limit.
func metrics() []metric {
	return []metric{
		{name: "p50"},
		{name: "p90"},
		{name: "p95"},
		{name: "p99"},
		{name: "p99.9"},
		{name: "max"},
		{name: "errors", measure: percentMeasure},
		{name: "rate", measure: percentMeasure, lower: true},
		{name: "rto", event: true, fault: true},
		{name: "rpo", event: true, fault: true},
		{name: "lost_writes", measure: countMeasure, event: true},
		{name: "duplicates", measure: countMeasure, event: true},
		{name: "took", event: true, step: true},
	}
}

// metricNames lists the metrics for messages: those of events, or of phases.
func metricNames(event bool) []string {
	var names []string
	for _, m := range metrics() {
		if m.event == event {
			names = append(names, m.name)
		}
	}
	return names
}
