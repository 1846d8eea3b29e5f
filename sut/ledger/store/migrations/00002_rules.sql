-- What keys and checks cannot say of the books. Whatever is done to the tables,
-- by whom ever, after COMMIT each of these holds:
--
--   - A transfer has exactly two postings: its amount off the one account and
--     onto the other. They sum to zero.
--   - A balance is the opening balance and the postings. It changes with them,
--     in the same statement, and cannot be changed otherwise.
--   - What was refunded is the sum of the refunds, each of which goes the way
--     of its transfer back.
--   - A transfer is settled, or it is among the unsettled ones, not both.
--   - What is in the books stays as it is.

-- +goose Up

-- post brings a posting to its account, if it is one of the transfer.
-- +goose StatementBegin
CREATE FUNCTION post() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found_status text;
BEGIN
    UPDATE accounts a
       SET balance = a.balance + NEW.amount, version = a.version + 1, updated_at = now()
      FROM transfers t
     WHERE a.id = NEW.account_id AND a.status = 'open' AND t.id = NEW.transfer_id AND t.created_at = NEW.created_at
       AND (t.from_account = NEW.account_id AND t.amount = -NEW.amount OR t.to_account = NEW.account_id AND t.amount = NEW.amount);
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT status INTO found_status FROM accounts WHERE id = NEW.account_id;
    IF found_status <> 'open' THEN
        RAISE EXCEPTION 'account % is %', NEW.account_id, found_status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_open', TABLE = 'accounts';
    END IF;
    RAISE EXCEPTION 'transfer % has no posting of % to account % at %', NEW.transfer_id, NEW.amount, NEW.account_id, NEW.created_at
        USING ERRCODE = 'check_violation', CONSTRAINT = 'postings_of_transfer', TABLE = 'postings';
END $$;
-- +goose StatementEnd
CREATE TRIGGER post AFTER INSERT ON postings FOR EACH ROW EXECUTE FUNCTION post();

-- check_posted refuses at COMMIT a transfer that lacks a posting. More than two
-- there cannot be. To plan anew which partition to look into takes longer than
-- to look.
-- +goose StatementBegin
CREATE FUNCTION check_posted() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF (SELECT count(*) FROM postings WHERE transfer_id = NEW.id AND created_at = NEW.created_at) <> 2 THEN
        RAISE EXCEPTION 'transfer % has not two postings', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfers_posted', TABLE = 'transfers';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER check_posted AFTER INSERT ON transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_posted();

-- await_settlement notes that a transfer has to be settled.
-- +goose StatementBegin
CREATE FUNCTION await_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unsettled (transfer_id, created_at) VALUES (NEW.id, NEW.created_at);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER await_settlement AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION await_settlement();

-- end_wait notes that transfers are settled.
-- +goose StatementBegin
CREATE FUNCTION end_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM unsettled u USING settled s JOIN transfers t ON t.id = s.transfer_id
     WHERE u.created_at = t.created_at AND u.transfer_id = t.id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER end_wait AFTER INSERT ON settlements
    REFERENCING NEW TABLE AS settled FOR EACH STATEMENT EXECUTE FUNCTION end_wait();

-- refund counts a refund against its transfer.
-- +goose StatementBegin
CREATE FUNCTION refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE transfers t SET refunded = t.refunded + NEW.amount, updated_at = now()
     WHERE t.id = NEW.refund_of AND t.refund_of IS NULL
       AND t.from_account = NEW.to_account AND t.to_account = NEW.from_account AND t.currency = NEW.currency;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'transfer % is no refund of %', NEW.id, NEW.refund_of
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfers_refundable', TABLE = 'transfers';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER refund AFTER INSERT ON transfers
    FOR EACH ROW WHEN (NEW.refund_of IS NOT NULL) EXECUTE FUNCTION refund();

-- refuse refuses. The depth tells what the triggers above do from all else.
-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % would falsify the books', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER accounts_begin_with_opening BEFORE INSERT ON accounts
    FOR EACH ROW WHEN (NEW.balance <> NEW.opening) EXECUTE FUNCTION refuse();
CREATE TRIGGER accounts_change_by_posting BEFORE UPDATE ON accounts
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND
        (OLD.id, OLD.currency, OLD.opening, OLD.balance) IS DISTINCT FROM (NEW.id, NEW.currency, NEW.opening, NEW.balance))
    EXECUTE FUNCTION refuse();
CREATE TRIGGER accounts_stay_closed BEFORE UPDATE ON accounts
    FOR EACH ROW WHEN (OLD.status = 'closed' AND NEW.status <> 'closed') EXECUTE FUNCTION refuse();
CREATE TRIGGER transfers_begin_unrefunded BEFORE INSERT ON transfers
    FOR EACH ROW WHEN (NEW.refunded <> 0) EXECUTE FUNCTION refuse();
CREATE TRIGGER transfers_stay BEFORE UPDATE OR DELETE ON transfers
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse();
CREATE TRIGGER postings_stay BEFORE UPDATE OR DELETE ON postings FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER settlements_stay BEFORE UPDATE ON settlements
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION refuse();
CREATE TRIGGER settlements_stay_there BEFORE DELETE ON settlements FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER unsettled_follow BEFORE INSERT OR UPDATE OR DELETE ON unsettled
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse();
CREATE TRIGGER settlements_stay_all BEFORE TRUNCATE ON settlements EXECUTE FUNCTION refuse();
CREATE TRIGGER unsettled_stay_all BEFORE TRUNCATE ON unsettled EXECUTE FUNCTION refuse();
CREATE TRIGGER transfers_stay_all BEFORE TRUNCATE ON transfers EXECUTE FUNCTION refuse();
CREATE TRIGGER postings_stay_all BEFORE TRUNCATE ON postings EXECUTE FUNCTION refuse();
CREATE TRIGGER postings_stay_all BEFORE TRUNCATE ON postings_default EXECUTE FUNCTION refuse();

-- +goose Down
DROP FUNCTION refuse, refund, end_wait, await_settlement, check_posted, post CASCADE;
