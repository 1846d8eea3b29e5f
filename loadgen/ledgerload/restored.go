package ledgerload

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/proofload/proofload/reports/history"
)

// restoredSQL reads the transfers between two ids, with what they did to the
// books, as writesSQL does.
const restoredSQL = `
SELECT t.id, t.amount, count(p.account_id),
       count(p.account_id) FILTER (WHERE p.account_id = t.from_account AND p.amount = -t.amount),
       count(p.account_id) FILTER (WHERE p.account_id = t.to_account AND p.amount = t.amount)
  FROM transfers t LEFT JOIN postings p ON p.transfer_id = t.id
 WHERE t.id BETWEEN '%s' AND '%s'
 GROUP BY t.id`

// RestoredQuery returns the statement that reads all transfers of a drill from
// the database, for who cannot give it parameters. [ReadRestored] reads its rows.
func (w *Workload) RestoredQuery(drill int) string {
	lo, hi := w.IDRange(drill)
	return fmt.Sprintf(restoredSQL, lo, hi)
}

// ReadRestored reads a row of [Workload.RestoredQuery] whose columns are parted
// by |, into ID, Amount and Count.
func ReadRestored(row string) (history.Event, error) {
	columns := strings.Split(row, "|")
	if len(columns) != 5 {
		return history.Event{}, fmt.Errorf("read transfer %q: %d columns", row, len(columns))
	}
	if _, err := uuid.Parse(columns[0]); err != nil {
		return history.Event{}, fmt.Errorf("read transfer %q: %w", row, err)
	}
	var n [4]int64
	for i, text := range columns[1:] {
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return history.Event{}, fmt.Errorf("read transfer %q: %w", row, err)
		}
	}
	return history.Event{ID: columns[0], Amount: n[0], Count: effects(n[1], n[2], n[3])}, nil
}
