-- A transfer that is refused, or was placed before, is an answer and no error.
-- An error would end the transaction, and with it what the client keeps
-- prepared: the next transfer on the connection would pay two round trips more.

-- +goose Up

DROP FUNCTION place_refund, place_transfer;

-- place_transfer books a transfer and announces it, all or nothing; what speaks
-- against it is returned as refusal and why, and then nothing was changed but
-- locks, and the client rolls back. If the id is in use, the transfer that has
-- it is returned as it is now, replayed, and locked: the lock is logged, which
-- makes the commit wait for the standby, and a standby that has the lock has
-- the transfer.
--
-- It locks the accounts in the order of their ids, so that no two transfers
-- wait for each other, and takes the time afterwards: so on each account the
-- transfers are in the order of their times, and whoever gets the lock sees all
-- that are earlier. What is looked at to refuse is looked at behind the lock,
-- for it may have been waited for. The rules of the schema stay the last word.
-- +goose StatementBegin
CREATE FUNCTION place_transfer(
    transfer_id uuid, payer bigint, payee bigint, amount bigint, currency text, reference text, refund_of uuid, request_hash bytea,
    correlation_id text, traceparent text,
    OUT refusal text, OUT why text, OUT replayed boolean, OUT settled boolean,
    OUT placed transfers, OUT payer_version bigint, OUT payee_version bigint
) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    giver    record;
    taker    record;
    original transfers;
BEGIN
    replayed := false;
    settled := false;
    PERFORM FROM accounts a WHERE a.id IN (payer, payee) ORDER BY a.id FOR NO KEY UPDATE;
    SELECT a.id, a.currency, a.status, a.balance, a.version, c.status AS customer INTO giver
      FROM accounts a JOIN customers c ON c.id = a.customer_id WHERE a.id = payer;
    SELECT a.id, a.currency, a.status, a.balance, a.version, c.status AS customer INTO taker
      FROM accounts a JOIN customers c ON c.id = a.customer_id WHERE a.id = payee;
    IF refund_of IS NOT NULL THEN
        SELECT t.* INTO original FROM transfers t WHERE t.id = place_transfer.refund_of;
    END IF;
    CASE
        WHEN original.refund_of IS NOT NULL THEN
            refusal := 'not_refundable'; why := 'transfer ' || original.id;
        WHEN amount > original.amount - original.refunded THEN
            refusal := 'refund_exceeds'; why := 'transfer ' || original.id;
        WHEN giver.id IS NULL THEN
            refusal := 'unknown_account'; why := 'account ' || payer;
        WHEN taker.id IS NULL THEN
            refusal := 'unknown_account'; why := 'account ' || payee;
        WHEN giver.currency <> place_transfer.currency THEN
            refusal := 'wrong_currency'; why := 'account ' || payer || ' holds ' || giver.currency;
        WHEN taker.currency <> place_transfer.currency THEN
            refusal := 'wrong_currency'; why := 'account ' || payee || ' holds ' || taker.currency;
        WHEN giver.status <> 'open' THEN
            refusal := 'account_not_open'; why := 'account ' || payer || ' is ' || giver.status;
        WHEN taker.status <> 'open' THEN
            refusal := 'account_not_open'; why := 'account ' || payee || ' is ' || taker.status;
        WHEN giver.customer <> 'active' THEN
            refusal := 'customer_not_active'; why := 'the customer of account ' || payer || ' is ' || giver.customer;
        WHEN taker.customer <> 'active' THEN
            refusal := 'customer_not_active'; why := 'the customer of account ' || payee || ' is ' || taker.customer;
        WHEN giver.balance < amount THEN
            refusal := 'insufficient_funds'; why := 'account ' || payer;
        WHEN taker.balance > 9223372036854775807 - amount THEN
            refusal := 'balance_limit'; why := 'account ' || payee;
        ELSE
            INSERT INTO transfers (id, from_account, to_account, amount, currency, reference, refund_of, request_hash, created_at)
            VALUES (transfer_id, payer, payee, amount, currency, reference, refund_of, request_hash, clock_timestamp())
            ON CONFLICT (id) DO NOTHING RETURNING transfers.* INTO placed;
    END CASE;
    IF placed.id IS NULL THEN
        SELECT t.* INTO placed FROM transfers t WHERE t.id = transfer_id FOR SHARE;
        replayed := FOUND;
        settled := EXISTS (SELECT FROM settlements s WHERE s.transfer_id = placed.id);
        RETURN NEXT;
        RETURN;
    END IF;
    INSERT INTO postings (transfer_id, account_id, amount, created_at)
    VALUES (placed.id, payer, -placed.amount, placed.created_at), (placed.id, payee, placed.amount, placed.created_at);
    payer_version := giver.version + 1; -- by the posting
    payee_version := taker.version + 1;
    INSERT INTO outbox (event_key, transfer_id, topic, correlation_id, traceparent, payload)
    VALUES ('transfer.accepted:' || placed.id, placed.id, 'transfer.accepted', correlation_id, traceparent,
        jsonb_strip_nulls(jsonb_build_object('transfer_id', placed.id, 'refund_of', placed.refund_of,
            'amount', placed.amount, 'currency', placed.currency,
            'from', payer, 'from_version', payer_version, 'to', payee, 'to_version', payee_version,
            'timeline', ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int)));
    RETURN NEXT;
END $$;
-- +goose StatementEnd

-- place_refund books a transfer that goes the way of another back.
-- +goose StatementBegin
CREATE FUNCTION place_refund(
    refund_id uuid, original_id uuid, amount bigint, request_hash bytea, correlation_id text, traceparent text,
    OUT refusal text, OUT why text, OUT replayed boolean, OUT settled boolean,
    OUT placed transfers, OUT payer_version bigint, OUT payee_version bigint
) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    original transfers;
BEGIN
    SELECT t.* INTO original FROM transfers t WHERE t.id = original_id;
    IF FOUND THEN
        RETURN QUERY SELECT * FROM place_transfer(refund_id, original.to_account, original.from_account, amount,
            original.currency, '', original.id, request_hash, correlation_id, traceparent);
        RETURN;
    END IF;
    refusal := 'not_found';
    why := 'transfer ' || original_id;
    replayed := false;
    settled := false;
    RETURN NEXT;
END $$;
-- +goose StatementEnd

-- await_transfers lets the status of a customer change only once the transfers
-- under way are through: those that come later see it.
-- +goose StatementBegin
CREATE FUNCTION await_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts a WHERE a.customer_id = NEW.id ORDER BY a.id FOR NO KEY UPDATE;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER await_transfers AFTER UPDATE ON customers
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION await_transfers();

-- +goose Down

DROP TRIGGER await_transfers ON customers;
DROP FUNCTION await_transfers, place_refund, place_transfer;

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
