-- +goose Up
CREATE TABLE credential (
    account    TEXT NOT NULL,
    customer   TEXT NOT NULL,
    sealed     TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, customer)
);

CREATE TABLE saved_card (
    id         TEXT PRIMARY KEY,
    merchant   TEXT NOT NULL,
    account    TEXT NOT NULL,
    customer   TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    brand      TEXT NOT NULL,
    first6     TEXT NOT NULL,
    last4      TEXT NOT NULL,
    expiry     TEXT NOT NULL,
    name       TEXT NOT NULL,
    series_id  TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account, customer, gateway_id)
);
CREATE INDEX saved_card_customer ON saved_card (merchant, customer, created_at);
