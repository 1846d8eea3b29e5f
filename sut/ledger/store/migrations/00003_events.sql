-- +goose Up

-- Events wait here until the broker has them. The key tells a consumer which of
-- them it has seen. Rows come and go, so it is vacuumed by their number.
CREATE TABLE outbox (
    id             bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_pkey PRIMARY KEY,
    event_key      text        NOT NULL CONSTRAINT outbox_event_key UNIQUE,
    transfer_id    uuid        CONSTRAINT outbox_transfer REFERENCES transfers (id),
    topic          text        NOT NULL,
    payload        jsonb       NOT NULL,
    correlation_id text        NOT NULL,
    traceparent    text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    published_at   timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

-- What a consumer has seen to, so that it does so once.
CREATE TABLE consumed_events (
    consumer    text        NOT NULL,
    event_key   text        NOT NULL,
    deliveries  bigint      NOT NULL DEFAULT 1,
    consumed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT consumed_events_pkey PRIMARY KEY (consumer, event_key)
) WITH (fillfactor = 90);
CREATE INDEX consumed_events_by_time ON consumed_events (consumed_at);

CREATE TABLE notifications (
    id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT notifications_pkey PRIMARY KEY,
    customer_id bigint      NOT NULL CONSTRAINT notifications_customer REFERENCES customers (id),
    account_id  bigint      NOT NULL CONSTRAINT notifications_account REFERENCES accounts (id),
    transfer_id uuid        NOT NULL CONSTRAINT notifications_transfer REFERENCES transfers (id),
    amount      bigint      NOT NULL CHECK (amount <> 0), -- negative if the account gave
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notifications_once UNIQUE (transfer_id, account_id)
);
CREATE INDEX notifications_by_customer ON notifications (customer_id, id);

-- What an account gave and took on a day, in UTC: a projection of the postings.
CREATE TABLE account_activity (
    account_id bigint      NOT NULL CONSTRAINT account_activity_account REFERENCES accounts (id),
    day        date        NOT NULL,
    transfers  bigint      NOT NULL CHECK (transfers > 0),
    debited    bigint      NOT NULL CHECK (debited >= 0),  -- minor units
    credited   bigint      NOT NULL CHECK (credited >= 0), -- minor units
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_activity_pkey PRIMARY KEY (account_id, day)
) WITH (fillfactor = 80);

-- +goose Down
DROP TABLE account_activity, notifications, consumed_events, outbox;
