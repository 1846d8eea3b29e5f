package sut

import (
	"context"
	"time"
)

// A Restorer can back its database up, and bring a copy of it back beside the
// one that runs.
type Restorer interface {
	// Backup makes a backup of the database and returns once it can be restored.
	// From the first one on, the log of the database is archived. An incremental
	// one is an error where there is no backup that it could begin at.
	Backup(ctx context.Context, kind BackupKind) (Backup, error)

	// Restore brings a copy of the database back on a node: of the newest backup
	// and the log that was archived since, all of it, or up to a moment on the
	// clock of the database if that is not zero. It asks the copy a query, once it
	// takes writes and a replica of it has them, and removes both. What runs is not
	// touched, and what is left if the caller dies ends by itself.
	Restore(ctx context.Context, node string, to time.Time, query string) (Restored, error)
}

// A BackupKind says what is in a backup, as a scenario names it.
type BackupKind string

// The kinds of backups.
const (
	BackupFull        BackupKind = "full"        // all of the database
	BackupIncremental BackupKind = "incremental" // what has changed since the newest backup, of whatever kind
)

// A Backup is one that can be restored.
type Backup struct {
	Label  string
	Kind   BackupKind
	Base   string // the label of the one that an incremental backup begins at, and which a restore of it needs; empty of a full one
	Bytes  int64  // of the database
	Copied int64  // bytes of the database that are in this backup itself
	Stored int64  // bytes that this backup itself takes, compressed
}

// A Restored is what a restored copy of a database held.
type Restored struct {
	Rows  []string // that answered the query, with | between the columns
	Bytes int64    // of the database

	// Archived says that the log was archived as far as it had been written when
	// the restore began. Otherwise its end may be missing in the copy.
	Archived bool
}
