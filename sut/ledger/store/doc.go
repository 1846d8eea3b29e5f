// Package store keeps the ledger in PostgreSQL.
//
// It is written for a pooler in transaction mode and for a primary that may be
// demoted, cut off or lost at any moment. Three rules follow:
//
//   - A change is acknowledged only after its COMMIT was answered, without a
//     warning. Whatever else happens after COMMIT was sent is
//     [domain.ErrUnknownOutcome].
//   - A commit that waits for a standby is never cancelled, only abandoned.
//   - Connections are given up as soon as the server behind them refuses to be
//     a primary.
//
// What must never be wrong with the books is said in the schema, in migrations,
// and holds for everybody who writes to the database. The store translates the
// refusals. It asks in as few round trips as it can: two for a change, which
// are the statements and COMMIT, one for a read, whether of one thing or of a
// page.
//
// A change tells its [domain.Position]. A read from a replica that has to
// include one finds out in the same round trip whether it does: see
// [Replica.After].
package store
