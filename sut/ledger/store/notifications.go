package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// NotificationsKept is how long notifications are kept. A transfer that is
// older is not notified any more, however late its event is replayed.
const NotificationsKept = 90 * 24 * time.Hour

const notificationColumns = `n.id, n.customer_id, n.account_id, n.transfer_id, n.amount, n.created_at`

func scanNotification(row pgx.Row) (n domain.Notification, err error) {
	err = row.Scan(&n.ID, &n.Customer, &n.Account, &n.Transfer, &n.Amount, &n.CreatedAt)
	return n, err
}

// ListNotifications reads a page of the notifications.
func (n node) ListNotifications(
	ctx context.Context, f domain.NotificationFilter, p domain.Page,
) ([]domain.Notification, *domain.Cursor, domain.Origin, error) {
	const what = "notifications"
	by, err := sortColumn(what, p, domain.NotificationSorts(), map[domain.SortKey]column{
		domain.ByID: {sql: "n.id", kind: "bigint"},
	})
	if err != nil {
		return nil, nil, domain.Origin{}, err
	}
	var l listing
	if f.Customer != 0 {
		l.where("n.customer_id = %s", f.Customer)
	}
	sql := `SELECT ` + notificationColumns + `, ` + by.sql + `::text, n.id::text FROM notifications n` + l.page(by, p)
	return readPage(ctx, n, what, sql, &l, p, scanNotification)
}

// PurgeNotifications deletes up to limit notifications that were made more than
// age ago. It returns how many rows it deleted, and is to be called again while
// they are as many as limit.
func (p *Primary) PurgeNotifications(ctx context.Context, age time.Duration, limit int) (deleted int64, err error) {
	_, err = p.db.inTx(ctx, "purge notifications", func(b *pgx.Batch) {
		b.Queue(purgeNotificationsSQL, age.Microseconds(), limit).Exec(func(tag pgconn.CommandTag) error {
			deleted = tag.RowsAffected()
			return nil
		})
	})
	return deleted, err
}

// The first by id are the oldest, so no more are looked at than are wanted.
const purgeNotificationsSQL = `WITH first AS MATERIALIZED (SELECT id, created_at FROM notifications
		ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
	DELETE FROM notifications n USING first
	WHERE n.id = first.id AND first.created_at < now() - $1::bigint * interval '1 microsecond'`
