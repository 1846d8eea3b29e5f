package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// rulesSQL tells how to drop, and how to make again, whatever looks at each row
// of the tables that a seed loads: triggers, keys, indexes. They are dropped in
// the order of the answer, and made again in the reverse one. What belongs to a
// partition comes and goes with that of the whole table, for which alone a
// definition must not say ONLY.
const rulesSQL = `
	WITH loaded AS (SELECT unnest(ARRAY['transfers', 'postings', 'settlements', 'account_activity'])::regclass AS oid)
	SELECT 1 AS rank, format('ALTER TABLE %s DISABLE TRIGGER USER', t), format('ALTER TABLE %s ENABLE TRIGGER USER', t)
	FROM unnest(ARRAY['accounts', 'transfers', 'postings', 'settlements']) AS t
	UNION ALL
	SELECT CASE contype WHEN 'f' THEN 2 ELSE 3 END, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
		format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(c.oid))
	FROM pg_constraint c
	WHERE contype IN ('f', 'p', 'u') AND conparentid = 0
		AND (conrelid IN (SELECT oid FROM loaded) OR confrelid IN (SELECT oid FROM loaded))
	UNION ALL
	SELECT 3, format('DROP INDEX %s', indexrelid::regclass), replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
	FROM pg_index i
	WHERE indrelid IN (SELECT oid FROM loaded) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
	ORDER BY rank`

// setRulesAside drops, until restore is called or the transaction ends, the
// rules that look at each row. To check all rows at once when they are there,
// and to sort them for an index, takes a fraction of the time.
func setRulesAside(ctx context.Context, tx pgx.Tx) (restore func(context.Context) error, err error) {
	type rule struct {
		rank       int
		drop, make string
	}
	rows, err := tx.Query(ctx, rulesSQL)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	rules, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r rule, err error) {
		err = row.Scan(&r.rank, &r.drop, &r.make)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	for _, r := range rules {
		if _, err := tx.Exec(ctx, r.drop); err != nil {
			return nil, fmt.Errorf("set aside rule %q: %w", r.make, err)
		}
	}
	return func(ctx context.Context) error {
		for i := range rules {
			r := rules[len(rules)-1-i]
			if _, err := tx.Exec(ctx, r.make); err != nil {
				return fmt.Errorf("restore rule %q: %w", r.make, err)
			}
		}
		return nil
	}, nil
}
