// Package history records what clients, faults, probes and the harness itself
// did during a run.
//
// A history is the only thing a run leaves behind that checkers read, so a
// stored run can be judged again by a later version of proofload. The model is
// Jepsen's: a write is invoked, and then completes as ok (it happened), fail
// (it did not happen) or info (it may have happened).
package history

import (
	"strconv"
	"time"
)

// A Kind is the kind of an event.
type Kind string

// The kinds of event.
const (
	Invoke Kind = "invoke" // about to be sent; recorded for writes only, before the first byte leaves
	OK     Kind = "ok"     // happened: the success answer was read to its end
	Fail   Kind = "fail"   // did not happen: refused by contract, or nothing was sent
	Info   Kind = "info"   // of an operation: may have happened; of the others: an observation
)

// Who wrote an event.
const (
	ByLoad  = "load"  // an operation of a client
	ByFault = "fault" // the life of a fault or another entry of the timeline
	ByProbe = "probe" // a side observation of one node, on change and at least once a second
	ByAudit = "audit" // the final reads after a drill
	ByRun   = "run"   // the course of the run: drills, phases, aborts
)

// The Op of events by [ByFault], in the order of a fault's life. ID is the
// name of the timeline entry, Target what it acts on, Verb which fault it is.
const (
	FaultInject    = "inject"    // the inject call is about to be made: T0
	FaultInjected  = "injected"  // the inject call returned
	FaultSettled   = "settled"   // seen in effect; Text is the evidence
	FaultRecover   = "recover"   // the recover call is about to be made
	FaultRecovered = "recovered" // seen to be gone; Text is the evidence
	FaultFailed    = "failed"    // one of the steps failed; Text says which and why; Kind is Fail
)

// The Op of events by [ByProbe].
const (
	// ProbeDatabase: Node answered SQL. Role is "primary" or "replica",
	// Timeline and Value (its WAL position in bytes) are set. Kind is Fail and
	// Text the reason if it did not answer.
	ProbeDatabase = "database"
	// ProbeRoute: the database as the service reaches it, through pooler and
	// router; fields as ProbeDatabase. Class is [ClassUnreached] if Node itself
	// did not answer, rather than what is behind it.
	ProbeRoute = "route"
	// ProbeAgent: the failover agent of Node. Role is what the agent says;
	// Text is "unlocked" while no node holds the leader lock.
	ProbeAgent = "agent"
	// ProbeCounter: a number that Node counts about itself. Target says which,
	// one of the counters below; Value is it. One that began at 0 again, because
	// its process did, is smaller than before.
	ProbeCounter = "counter"
	// ProbeBooks: one snapshot of the accounts of Node. Value is the sum of all
	// balances less what they were opened with, Count the negative ones.
	ProbeBooks = "snapshot"
)

// The counters of a [ProbeCounter].
const (
	CounterRequests = "requests"  // that an instance of the service has answered
	CounterAttempts = "attempts"  // connections to a database that it has taken, one for each try
	CounterInFlight = "in-flight" // requests that it is working on; not a sum
	CounterDead     = "dead"      // messages that a worker has given up

	CounterPoolUsed    = "pool-in-use"  // connections to databases that an instance uses now; not a sum
	CounterPoolMax     = "pool-max"     // the most that it may have; not a sum
	CounterPoolWaits   = "pool-waits"   // connections that it had to wait for
	CounterHeap        = "heap"         // bytes on its heap, garbage included; not a sum
	CounterCacheHits   = "cache-hits"   // copies that it asked a cache for, and got
	CounterCacheMisses = "cache-misses" // and did not get

	// Whether an instance gets on with something that it works with, 1 or 0, as
	// it found last. The name of that and [SuffixUp].
	CounterCacheUp  = "redis" + SuffixUp
	CounterBrokerUp = "rabbitmq" + SuffixUp
)

// SuffixUp ends the names of counters that say whether something works.
const SuffixUp = "-up"

// ClassUnreached is the class of a probe's failure to which nobody answered at
// all.
const ClassUnreached = "unreached"

// The Op of events by [ByAudit]. Node is the database node that was read.
const (
	// AuditWrite: one write found in the authoritative store. ID is the
	// client's id, Amount its amount, Count how many times its effect on the
	// books is present (1 is right, [Uncounted] if nobody knows), Jobs how many
	// times the effect of its background job is present.
	AuditWrite = "write"
	// AuditEarlier: the writes of all drills before this one were read again, after
	// those of this one, each with an AuditWrite where it was found. Kind is Fail
	// and Text the reason if they could not be.
	AuditEarlier = "earlier"
	// AuditBooks: the books of Node in one snapshot. Value is the sum of all
	// postings, Count the number of unbalanced transfers, those among them whose
	// refunds do not add up, Amount the number of accounts whose balance differs
	// from their postings or is negative, for which too much was counted, or two
	// states of which share a version; Text names examples.
	AuditBooks = "books"
	// AuditSum: a checksum of one table on Node at the WAL position Value.
	// Target is the table, Text the checksum, Count the rows.
	AuditSum = "checksum"
	// AuditIntact: how the files of Node are. Count is how many tables and
	// indexes were looked at, Amount how many of them are damaged, and Text names
	// examples, each with what is wrong.
	AuditIntact = "intact"
	// AuditStatement: what a statement has cost Node since it was started. Text
	// is the statement without its values, Count how often it was asked, Value
	// the fastest call in µs, Amount the pages of 8 KiB and Jobs the rows of a
	// call, on average.
	AuditStatement = "statement"
	// AuditScan: Target is a table that Node has read from end to end since it
	// was started: Count times, Value rows each on average, of the Amount that
	// it has.
	AuditScan = "scan"
	// AuditRole: the role of Node once everything is quiet: Role, Timeline,
	// Count (replicas that stream from it).
	AuditRole = "role"
	// AuditJobs: what is left of background work. Target says what ("outbox",
	// "queue NAME", "dead letters"), Count how much.
	AuditJobs = "jobs"
	// AuditWaiting: the background job of a write waits still. ID is the write,
	// Target what it waits in.
	AuditWaiting = "waiting"
	// AuditDead: a message that was given up. ID is the message, Key the write
	// that it is about, Target the queue it died in, Text the reason and Count
	// the attempts. One with no ID says that all were read, and in Count how many.
	AuditDead = "dead-letter"
	// AuditCounter: by how much the writes of the drill have moved Key, in
	// Value. What is not among them was not moved. One with no Key says that all
	// were read.
	AuditCounter = "counter"
	// AuditSubscriber: Target is one that has to learn of every write. With an
	// ID, of a write that it has not learned of; without, Count says of how many
	// it has, and that all were read.
	AuditSubscriber = "subscriber"
	// AuditRestored: one write found in a restored copy of the database. ID,
	// Amount and Count as of AuditWrite, Target the entry that restored it. One
	// with no ID says that all were read, and in Count how many; Value is then the
	// moment up to which the copy has to hold all that was acknowledged, Amount
	// that after which it may hold nothing, or 0, both in ns since the run began.
	AuditRestored = "restored"
	// AuditQuery: what Node answers to the check ID of the scenario, in Text. Kind
	// is Fail and Text the reason if there is no answer.
	AuditQuery = "query"
	// AuditDone: the audit is complete; without it checks that need final
	// reads are inconclusive. Kind is Fail and Text the reason if it was not.
	AuditDone = "done"
)

// Uncounted is the Count of a write that was found by asking whether it is there,
// and not how often.
const Uncounted = -1

// The Op of events by [ByRun].
const (
	RunDrill     = "drill"     // drill number Drill begins; its phases' clock starts at At
	RunPhase     = "phase"     // phase Phase of drill Drill begins
	RunLoadEnd   = "load-end"  // the last arrival of drill Drill has completed or timed out; not of a load that was stopped
	RunDrillEnd  = "drill-end" // the drill ran to its end, and its final reads are over
	RunGenerator = "generator" // Text is JSON of loadgen.Stats for the drill
	RunAbort     = "abort"     // the run was stopped: Text says why
	RunNote      = "note"      // Text is for people
	RunMisfit    = "misfit"    // Text says where the workload and the system do not fit, and how often
	RunMark      = "mark"      // a moment that the scenario gives a name: ID and Text
	RunGate      = "gate"      // a gate was opened, passed or not; ID is its entry, Text says which and by whom
	RunHold      = "hold"      // the clock of the phases of drill Drill stands still from At on, because of the gate ID; may be recorded a moment ahead
	RunGoOn      = "go-on"     // and goes on at At
	RunCut       = "cut"       // phase Phase of drill Drill ends early at At, because the entry ID is over; Value is what the phases' clock shows from then on, in ns; may be recorded a moment ahead
)

// The kinds of store that answer a read.
const (
	SourcePrimary = "primary"
	SourceReplica = "replica"
	SourceCache   = "cache"
)

// PromiseStrong is the promise to a read that it sees everything that was
// acknowledged before it was sent, and nothing older than what another such
// read has seen.
const PromiseStrong = "strong"

// PromiseRefused is the promise that an operation is refused, whatever else is
// broken: that its client may not do it. It is OK if it was.
const PromiseRefused = "refused"

// PromiseRepeated is the promise that an operation does nothing and is answered
// as one that was acknowledged, for it is the same request once more.
const PromiseRepeated = "repeated"

// An Event is one line of a history. Fields that do not apply are zero and
// left out of the file. All times are nanoseconds since the run began, on the
// monotonic clock of the proofload process.
type Event struct {
	At    time.Duration `json:"t_ns"`
	Kind  Kind          `json:"type"`
	By    string        `json:"by"`
	Op    string        `json:"op"`
	ID    string        `json:"id,omitempty"`    // of an operation: unique, made by the client, stored in the row
	Drill int           `json:"drill,omitempty"` // from 1

	// Of operations.
	Phase  string        `json:"phase,omitempty"`    // the phase that the scheduled time lies in
	Write  bool          `json:"write,omitempty"`    // changes something
	Sched  time.Duration `json:"sched_ns,omitempty"` // when it was to be sent; latency counts from here
	Sent   time.Duration `json:"sent_ns,omitempty"`  // when it was; Sent-Sched is the send lag
	Status int           `json:"status,omitempty"`   // of the answer, for example the HTTP status
	Class  string        `json:"class,omitempty"`    // of the error, one of loadgen's classes; "shed" was never sent. Of a probe [ClassUnreached] or empty
	Amount int64         `json:"amount,omitempty"`   // in minor units
	Key    string        `json:"key,omitempty"`      // what the operation is about, for example an account
	Peer   string        `json:"peer,omitempty"`     // what Amount moved to; it moved from Key
	Of     string        `json:"of,omitempty"`       // of a write: the id of an earlier one that it builds on, for example the transfer that a refund gives back
	Seq    int64         `json:"seq,omitempty"`      // the number of the arrival in its drill, from 1
	Corr   string        `json:"corr,omitempty"`     // the correlation id that was sent, if the workload chose it; see [Event.Correlation]
	Step   int           `json:"step,omitempty"`     // of a request within a journey, from 1; 0 is the one that the schedule asked for

	// What a read was promised, and what it saw. Session is the client whose
	// reads must follow its own writes and each other; it is empty if nothing of
	// the kind is promised. Of a read, Role is the kind of store that answered
	// ([SourcePrimary], [SourceReplica], [SourceCache]), Value the version that it
	// saw and Amount the balance.
	Session string `json:"session,omitempty"`
	Promise string `json:"promise,omitempty"` // [PromiseStrong], [PromiseRefused], [PromiseRepeated], that of [Limited], or nothing
	Saw     string `json:"saw,omitempty"`     // versions of several things at one moment, by [AppendSaw]

	// How long the parts of an operation took: the connection's, of one that
	// had to make its own, and from the send to the first byte of the answer.
	// They are left out of most operations on a connection in use before.
	DNS       time.Duration `json:"dns_ns,omitempty"`
	Connect   time.Duration `json:"connect_ns,omitempty"`
	TLS       time.Duration `json:"tls_ns,omitempty"`
	FirstByte time.Duration `json:"first_byte_ns,omitempty"`

	// Of operations, probes and audits.
	Node     string `json:"node,omitempty"`     // the instance that answered, or that was observed
	Timeline int    `json:"timeline,omitempty"` // of the database that served it

	// Of faults, probes and audits.
	Verb    string `json:"verb,omitempty"`
	Target  string `json:"target,omitempty"`
	Carries string `json:"carries,omitempty"` // traffic of the links a fault acts on, for example "replication"
	Role    string `json:"role,omitempty"`
	Value   int64  `json:"value,omitempty"`
	Count   int64  `json:"count,omitempty"`
	Jobs    int64  `json:"jobs,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Correlation returns the correlation id that an operation was sent with, by
// which the logs of the system name it. It is empty where it is not known.
func (e *Event) Correlation() string {
	switch {
	case e.Corr != "":
		return e.Corr
	case e.Seq == 0:
		return ""
	}
	return CorrelationID(e.Drill, uint64(e.Seq-1)) //nolint:gosec // it counts from 1
}

// CorrelationID returns the correlation id of an arrival whose workload chose
// none. Seq counts from 0.
func CorrelationID(drill int, seq uint64) string {
	id := append(make([]byte, 0, 40), "proofload-"...)
	id = append(strconv.AppendInt(id, int64(drill), 10), '-')
	return string(strconv.AppendUint(id, seq, 10))
}
