-- +goose Up

CREATE TABLE statements (
    id           uuid        CONSTRAINT statements_pkey PRIMARY KEY,
    account_id   bigint      NOT NULL CONSTRAINT statements_account REFERENCES accounts (id),
    request_hash bytea       NOT NULL,
    period_from  timestamptz NOT NULL, -- inclusive
    period_to    timestamptz NOT NULL, -- exclusive
    status       text        NOT NULL DEFAULT 'requested' CHECK (status IN ('requested', 'ready', 'failed')),
    opening      bigint      NOT NULL DEFAULT 0, -- minor units
    closing      bigint      NOT NULL DEFAULT 0, -- minor units
    line_count   bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (period_from < period_to)
);
CREATE INDEX statements_by_created ON statements (created_at, id);
CREATE INDEX statements_by_account ON statements (account_id, created_at, id);
CREATE INDEX statements_by_status ON statements (status, created_at, id);

CREATE TABLE statement_lines (
    statement_id uuid        NOT NULL CONSTRAINT statement_lines_statement REFERENCES statements (id) ON DELETE CASCADE,
    line         bigint      NOT NULL, -- from 1, in the order of time
    transfer_id  uuid        NOT NULL CONSTRAINT statement_lines_transfer REFERENCES transfers (id),
    amount       bigint      NOT NULL CHECK (amount <> 0), -- minor units, negative if the account gave
    other        bigint      NOT NULL CONSTRAINT statement_lines_other REFERENCES accounts (id),
    posted_at    timestamptz NOT NULL,
    CONSTRAINT statement_lines_pkey PRIMARY KEY (statement_id, line)
);

-- +goose Down
DROP TABLE statement_lines, statements;
