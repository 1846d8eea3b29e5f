package plan

import (
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// backupKind is the kind of backup that an entry takes; empty of any other entry.
func backupKind(e scenarios.Event) sut.BackupKind {
	switch {
	case e.Verb != scenarios.VerbBackup:
		return ""
	case e.Target == scenarios.BackupIncremental:
		return sut.BackupIncremental
	}
	return sut.BackupFull
}

// takes says what the i-th step, which is a backup, puts into it.
func (p *Plan) takes(i int) string {
	if p.Steps[i].Backup == sut.BackupFull {
		return "all of the database"
	}
	base := "the newest backup there is"
	for _, s := range p.Steps[:i] {
		if s.Backup != "" {
			base = s.Entry.Name
		}
	}
	return "what has changed since " + base + ", which a restore needs beside it"
}
