-- What every transfer does is kept on the server, and the plans of it with it:
-- five small statements in one call cost less than one large one, and nothing
-- has to be parsed or planned whatever the client and the pooler prepare.

-- +goose Up

-- place_transfer books a transfer and announces it, all or nothing. The rules
-- of the schema say what speaks against it.
--
-- It locks the accounts in the order of their ids, so that no two transfers
-- wait for each other, and takes the time afterwards: so on each account the
-- transfers are in the order of their times, and whoever gets the lock sees all
-- that are earlier.
-- +goose StatementBegin
CREATE FUNCTION place_transfer(
    transfer_id uuid, payer bigint, payee bigint, amount bigint, currency text, reference text, refund_of uuid, request_hash bytea,
    correlation_id text, traceparent text,
    OUT placed transfers, OUT payer_version bigint, OUT payee_version bigint
) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts a WHERE a.id IN (payer, payee) ORDER BY a.id FOR NO KEY UPDATE;
    INSERT INTO transfers (id, from_account, to_account, amount, currency, reference, refund_of, request_hash, created_at)
    VALUES (transfer_id, payer, payee, amount, currency, reference, refund_of, request_hash, clock_timestamp())
    RETURNING transfers.* INTO placed;
    INSERT INTO postings (transfer_id, account_id, amount, created_at)
    VALUES (placed.id, payer, -placed.amount, placed.created_at), (placed.id, payee, placed.amount, placed.created_at);
    SELECT a.version INTO payer_version FROM accounts a WHERE a.id = payer;
    SELECT a.version INTO payee_version FROM accounts a WHERE a.id = payee;
    INSERT INTO outbox (event_key, transfer_id, topic, correlation_id, traceparent, payload)
    VALUES ('transfer.accepted:' || placed.id, placed.id, 'transfer.accepted', correlation_id, traceparent,
        jsonb_strip_nulls(jsonb_build_object('transfer_id', placed.id, 'refund_of', placed.refund_of,
            'amount', placed.amount, 'currency', placed.currency,
            'from', payer, 'from_version', payer_version, 'to', payee, 'to_version', payee_version,
            'timeline', ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int)));
    RETURN NEXT;
END $$;
-- +goose StatementEnd

-- place_refund books a transfer that goes the way of another back. It returns
-- no row if there is no other.
-- +goose StatementBegin
CREATE FUNCTION place_refund(
    refund_id uuid, original_id uuid, amount bigint, request_hash bytea, correlation_id text, traceparent text,
    OUT placed transfers, OUT payer_version bigint, OUT payee_version bigint
) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    original transfers;
BEGIN
    SELECT t.* INTO original FROM transfers t WHERE t.id = original_id;
    IF FOUND THEN
        RETURN QUERY SELECT * FROM place_transfer(refund_id, original.to_account, original.from_account, amount,
            original.currency, '', original.id, request_hash, correlation_id, traceparent);
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION place_refund, place_transfer;
