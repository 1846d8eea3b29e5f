package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/store"
)

var errMalformed = errors.New("malformed event")

// decoded returns an effect on messages from one on events. Messages that are
// no events are refused one by one and do not hold up the others.
func decoded[E any](
	decode func([]byte) (E, error), effect func(context.Context, []E) ([]error, error),
) func(context.Context, [][]byte) ([]error, error) {
	return func(ctx context.Context, bodies [][]byte) ([]error, error) {
		verdicts := make([]error, len(bodies))
		events, at := make([]E, 0, len(bodies)), make([]int, 0, len(bodies))
		for i, body := range bodies {
			event, err := decode(body)
			if err != nil {
				verdicts[i] = err
				continue
			}
			events, at = append(events, event), append(at, i)
		}
		if len(events) == 0 {
			return verdicts, nil
		}
		results, err := effect(ctx, events)
		if err != nil {
			return nil, err
		}
		for i, result := range results {
			verdicts[at[i]] = result
		}
		return verdicts, nil
	}
}

// decodeTransfer reads the event that tells of a new transfer. Its key is made
// from the transfer, which a message cannot get wrong without being about
// another one.
func decodeTransfer(body []byte) (store.TransferEvent, error) {
	var e store.TransferEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return store.TransferEvent{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	switch {
	case e.TransferID == uuid.Nil:
		return store.TransferEvent{}, fmt.Errorf("%w: no transfer_id", errMalformed)
	case min(int64(e.Timeline), e.FromVersion, e.ToVersion) < 0:
		return store.TransferEvent{}, fmt.Errorf("%w: a negative timeline or version", errMalformed)
	}
	e.Key = topicAccepted + ":" + e.TransferID.String()
	return e, nil
}

// decodeStatement reads the event that asks for a statement.
func decodeStatement(body []byte) (uuid.UUID, error) {
	var e struct {
		StatementID uuid.UUID `json:"statement_id"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return uuid.Nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if e.StatementID == uuid.Nil {
		return uuid.Nil, fmt.Errorf("%w: no statement_id", errMalformed)
	}
	return e.StatementID, nil
}
