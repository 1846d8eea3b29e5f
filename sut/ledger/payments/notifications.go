package payments

import (
	"context"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// Notifications returns a page of the notifications.
func (l *Ledger) Notifications(
	ctx context.Context, f domain.NotificationFilter, p domain.Page, want domain.Reading,
) (List[domain.Notification], error) {
	return list(ctx, l, want, func(ctx context.Context, n node) ([]domain.Notification, *domain.Cursor, domain.Origin, error) {
		return n.ListNotifications(ctx, f, p)
	})
}
