-- Endpoints, deliveries, and events that belong to no session. As in the first: microseconds since 1970, 0 means never.

-- +goose Up
CREATE TABLE account_event (
    merchant TEXT NOT NULL,
    subject  TEXT NOT NULL, -- whose history it is: an endpoint's
    n        BIGINT NOT NULL,
    type     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    data     TEXT NOT NULL,
    pos      BIGINT, -- in the same order as event.pos
    PRIMARY KEY (subject, n)
);
CREATE UNIQUE INDEX account_event_pos ON account_event (pos);
CREATE INDEX account_event_unplaced ON account_event (subject, n) WHERE pos IS NULL;
CREATE INDEX event_at ON event (at);

CREATE TABLE webhook_signer (
    signer  TEXT PRIMARY KEY, -- an endpoint, or a merchant's default
    version BIGINT NOT NULL,
    keys    TEXT NOT NULL     -- JSON; secrets sealed
);

CREATE TABLE webhook_endpoint (
    id            TEXT PRIMARY KEY,
    num           BIGINT NOT NULL UNIQUE, -- its name as a job
    merchant      TEXT NOT NULL,
    url           TEXT NOT NULL,
    session_url   BOOLEAN NOT NULL, -- not made by the merchant: stands for the webhook_url of sessions
    enabled       BOOLEAN NOT NULL,
    description   TEXT NOT NULL,
    events        TEXT NOT NULL, -- JSON list of types
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT NOT NULL,
    failures      BIGINT NOT NULL, -- in a row
    failing_since BIGINT NOT NULL,
    failing       BOOLEAN NOT NULL,
    last_seq      BIGINT NOT NULL, -- of its deliveries
    last_event    BIGINT NOT NULL, -- of its own history
    due_at        BIGINT NOT NULL, -- when the head of the line is tried; 0: nothing to send, or disabled
    holder        TEXT NOT NULL,   -- who works the line off; '' for nobody
    held_until    BIGINT NOT NULL,
    claims        BIGINT NOT NULL  -- fences who held it before
);
CREATE UNIQUE INDEX webhook_endpoint_session_url ON webhook_endpoint (merchant, url) WHERE session_url;
CREATE INDEX webhook_endpoint_merchant ON webhook_endpoint (merchant, created_at, id);
CREATE INDEX webhook_endpoint_due ON webhook_endpoint (due_at) WHERE due_at > 0;
CREATE INDEX webhook_endpoint_held ON webhook_endpoint (holder) WHERE holder <> '';

CREATE TABLE webhook_delivery (
    id         TEXT PRIMARY KEY,
    num        BIGINT NOT NULL UNIQUE, -- for lists
    endpoint   TEXT NOT NULL REFERENCES webhook_endpoint (id),
    seq        BIGINT NOT NULL, -- place in the endpoint's line
    merchant   TEXT NOT NULL,
    event      TEXT NOT NULL,
    session    TEXT NOT NULL,
    n          BIGINT NOT NULL,
    type       TEXT NOT NULL,
    body       TEXT NOT NULL,
    state      TEXT NOT NULL,
    resend     BOOLEAN NOT NULL,
    tries      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    UNIQUE (endpoint, seq)
);
CREATE UNIQUE INDEX webhook_delivery_once ON webhook_delivery (endpoint, event) WHERE NOT resend;
CREATE INDEX webhook_delivery_pending ON webhook_delivery (endpoint, seq) WHERE state = 'pending';
CREATE INDEX webhook_delivery_list ON webhook_delivery (merchant, num);
CREATE INDEX webhook_delivery_event ON webhook_delivery (event);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at > 0;

CREATE TABLE webhook_try (
    delivery TEXT NOT NULL REFERENCES webhook_delivery (id),
    n        BIGINT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (delivery, n)
);

-- A table of one row.
CREATE TABLE webhook_feed (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    pos BIGINT NOT NULL -- up to here events were turned into deliveries
);
INSERT INTO webhook_feed (one, pos) VALUES (1, 0);

-- +goose Down
DROP TABLE webhook_feed;
DROP TABLE webhook_try;
DROP TABLE webhook_delivery;
DROP TABLE webhook_endpoint;
DROP TABLE webhook_signer;
DROP INDEX event_at;
DROP TABLE account_event;
