package postgres

import "github.com/proofload/proofload/chaos"

// The faults of backups act on a copy of the repository of pgBackRest, beside the
// repository itself, which is only read. Who restores takes such a copy in place
// of the repository as long as there is one: nothing else is touched, and the
// backup is as good as before once the copy is removed.

// backupFault is a fault of one thing in a copy of the repository.
type backupFault struct {
	chaos.Kind

	params []chaos.Param // besides the stanza
	damage string        // in $copy, of the newest backup, which is $label
	look   string        // sees that it is damaged
	by     string
}

const (
	// shellRepository defines repo and copy, the directories of the repository and
	// of the copy that the fault makes of it, label, which prints the newest backup
	// there is, and verify, which prints what pgBackRest finds wrong with that backup
	// in a repository. It reads all of it, so it is given up after a while.
	shellRepository = `
repo=$(sed -n 's/^repo1-path=//p' "${PGBACKREST_CONFIG:-/etc/pgbackrest.conf}" 2>/dev/null)
copy="$repo/copy-$ID"
label() { ls "$repo/backup/$P_STANZA" 2>/dev/null | grep -E '^[0-9]{8}-[0-9]{6}F' | sort | tail -n 1; }
backrest() { runuser -u postgres -- pgbackrest --stanza="$P_STANZA" --repo1-path="$copy" "$@"; }
verify() { timeout 5 runuser -u postgres -- pgbackrest --stanza="$P_STANZA" --repo1-path="$1" --output=text verify 2>/dev/null | grep -F "backup: $(label), "; }
`
	// wantBackup refuses a target that has no backup, and one of which a copy is
	// damaged already.
	wantBackup = shellRepository + `
[ -n "$repo" ] || { echo "it has no repository of pgBackRest: no repo1-path in /etc/pgbackrest.conf"; exit 1; }
[ -n "$(label)" ] || { echo "there is no backup of $P_STANZA: take one before, with an entry backup: postgres"; exit 1; }
for other in "$repo"/copy-*; do [ ! -e "$other" ] || { echo "there is a damaged copy already: $other"; exit 1; }; done
echo "$(label)"`
	dropCopy = shellRepository + `
[ -z "$repo" ] || [ -z "$ID" ] || rm -rf "$copy"`
)

// script makes the script of a fault of backups. The copy gets its name when it
// is complete and damaged, so that nobody restores from half of one.
func (b backupFault) script() chaos.Script {
	b.Params = append([]chaos.Param{{Name: "stanza", Measure: chaos.Text, Default: "ledger", About: "the stanza of pgBackRest"}}, b.params...)
	b.Touches = []string{"backups"}
	b.Undone = "The copy is removed; by a process left on the node when the time is over. The repository itself was only read. " +
		"What was archived meanwhile is in the repository alone."
	drop := dropCopy + ` "$repo/.making-$ID"`
	return chaos.Script{
		Kind: b.Kind, Roles: onServers(), Lasting: true,
		Save: wantBackup,
		Inject: shellRepository + chaos.ShellLater(drop) + `
label=$SAVED final=$copy
copy="$repo/.making-$ID"
mkdir -p "$copy/backup" || exit 1
cp -a "$repo/archive" "$copy/" 2>/dev/null # what is archived meanwhile may move
cp -a "$repo/backup/$P_STANZA" "$copy/backup/" && chown postgres: "$copy" "$copy/backup" || exit 1
` + b.damage + `
mv "$copy" "$final"`,
		Look: shellRepository + "label=$SAVED\n" + b.look,
		Undo: chaos.ShellEnd + drop,
		Gone: `(` + chaos.ShellEnded + `) || exit 1` + shellRepository + `
[ ! -e "$copy" ] && [ ! -e "$repo/.making-$ID" ] || exit 1
if verify "$repo"; then exit 1; fi
echo "no copy left; pgbackrest verify finds nothing wrong with $(label)"`,
		By: b.by,
	}
}

// corruptBackup damages a file of a backup.
func corruptBackup() chaos.Script {
	// The largest file, so that what is hit is data and no header.
	const file = `
dir="backup/$P_STANZA/$label"
file=$(cd "$repo/$dir" && find pg_data -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
`
	return backupFault{
		Kind: chaos.Kind{
			Name: "backup-corrupt",
			About: "Overwrites bytes in a file of the newest backup of Postgres, in a copy of the repository that restores are led to: a restore must " +
				"fail and say so.",
		},
		damage: file + `
size=$(stat -c %s "$copy/$dir/$file")
head -c 64 /dev/zero | tr '\0' '#' | dd of="$copy/$dir/$file" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null || exit 1`,
		look: file + `
[ -e "$copy/$dir/$file" ] || { echo "there is no copy"; exit 1; }
if cmp -s "$repo/$dir/$file" "$copy/$dir/$file"; then echo "$file is as in the repository"; exit 1; fi
echo "$file of $label differs from that in the repository"
[ -e "$copy/verified" ] || verify "$copy" >"$copy/verified" # once: it costs more than a look
cat "$copy/verified"`,
		by: "a comparison with the repository, and pgbackrest verify",
	}.script()
}

// Which segment is removed: the last one that was written while the backup was
// taken, without which it cannot be made consistent, or the one after that,
// without which a restore ends there as if there had been no more.
const (
	paramSegment  = "segment"
	segmentOfEnd  = "end"
	segmentBeyond = "next"
)

// removeSegment removes write-ahead log that a backup needs, or a restore.
func removeSegment() chaos.Script {
	const segment = `
segment=$(sed -n 's/^backup-archive-stop="\(.*\)"$/\1/p' "$repo/backup/$P_STANZA/$label/backup.manifest")
[ "$P_SEGMENT" = ` + segmentOfEnd + ` ] || segment=$(find "$repo/archive/$P_STANZA" -type f -name '????????????????????????-*' | sed 's|.*/||; s|-.*||' |
	sort -u | sed -n "/^$segment$/{n;p;q;}")
`
	return backupFault{
		Kind: chaos.Kind{
			Name: "backup-remove-wal",
			About: "Removes a segment of the write-ahead log, in a copy of the repository that restores are led to: the one that the newest backup " +
				"of Postgres ends in, without which a restore must fail and say so, or the next, without which one ends early and does not say so.",
		},
		params: []chaos.Param{{
			Name: paramSegment, Measure: chaos.Text, Default: segmentOfEnd,
			About: segmentOfEnd + ": the one that the backup ends in; " + segmentBeyond + ": the one after that, which has to be archived already",
		}},
		damage: segment + `
[ -n "$segment" ] || { echo "no log is archived from after $label: a restore before has it archived"; exit 1; }
found=$(find "$copy/archive/$P_STANZA" -name "$segment-*")
[ -n "$found" ] && rm -f $found || { echo "the segment $segment is not archived"; exit 1; }`,
		look: segment + `
[ -d "$copy" ] || { echo "there is no copy"; exit 1; }
wal=$(runuser -u postgres -- mktemp -u /tmp/proofload.XXXXXX)
backrest archive-get "$segment" "$wal" >/dev/null 2>&1; code=$?
rm -f "$wal"
echo "archive-get of $segment: exit status $code"
[ "$code" -eq 1 ] # not found; others are errors`,
		by: "pgBackRest, asked for the segment",
	}.script()
}
