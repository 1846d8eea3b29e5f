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
package store
