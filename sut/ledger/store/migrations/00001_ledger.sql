-- +goose Up

-- Balances change with every transfer and no index covers them, so room is
-- left in each page for updates in place.
CREATE TABLE accounts (
    id         bigint      PRIMARY KEY,
    owner      text        NOT NULL,
    currency   char(3)     NOT NULL,
    opening    bigint      NOT NULL CHECK (opening >= 0),
    balance    bigint      NOT NULL CONSTRAINT accounts_balance_check CHECK (balance >= 0),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE transfers (
    id           uuid        CONSTRAINT transfers_pkey PRIMARY KEY,
    from_account bigint      NOT NULL,
    to_account   bigint      NOT NULL,
    amount       bigint      NOT NULL CHECK (amount > 0),
    currency     char(3)     NOT NULL,
    request_hash bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (from_account <> to_account)
);

CREATE TABLE postings (
    id          bigserial PRIMARY KEY,
    transfer_id uuid      NOT NULL REFERENCES transfers (id),
    account_id  bigint    NOT NULL REFERENCES accounts (id),
    amount      bigint    NOT NULL CHECK (amount <> 0)
);
CREATE INDEX postings_transfer_id ON postings (transfer_id);
CREATE INDEX postings_account_id ON postings (account_id);

CREATE TABLE outbox (
    id             bigserial   PRIMARY KEY,
    transfer_id    uuid        NOT NULL REFERENCES transfers (id),
    topic          text        NOT NULL,
    payload        jsonb       NOT NULL,
    correlation_id text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    published_at   timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

CREATE TABLE settlements (
    id          bigserial   PRIMARY KEY,
    transfer_id uuid        NOT NULL UNIQUE CONSTRAINT settlements_transfer_id_fkey REFERENCES transfers (id),
    settled_at  timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE settlements, outbox, postings, transfers, accounts;
