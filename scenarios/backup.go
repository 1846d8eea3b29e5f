package scenarios

// The kinds of backups, one of which a backup: may name in place of a component.
// That of a component is a full one.
const (
	BackupFull        = "full"
	BackupIncremental = "incremental" // what has changed since the backup before it
)

// BackupKinds lists the kinds of backups.
func BackupKinds() []string { return []string{BackupFull, BackupIncremental} }

// lintBackups checks that there is a backup before one that is incremental: on a
// stack that is up already there may be another, but not on every one.
func (p *parser) lintBackups() {
	for _, e := range p.events {
		switch {
		case e.Verb == "": // it may have been meant to be one
			return
		case e.Verb != VerbBackup:
		case e.Target != BackupIncremental:
			return
		default:
			p.add(e.value, "no backup before this entry, so there is nothing that an incremental one could begin at", "write "+VerbBackup+": "+BackupFull+", or add an entry with that above")
			return
		}
	}
}
