-- What belongs to one merchant is found, and kept apart, by merchant; every list has an index that ends in its order.

-- +goose Up
DROP INDEX session_claims_order;
DROP INDEX session_order_disputed;
DROP INDEX session_order;
CREATE UNIQUE INDEX session_claims_order ON session (merchant, account, order_id) WHERE claims_order;
CREATE INDEX session_order_disputed ON session (merchant, account, order_id) WHERE order_disputed;
CREATE INDEX session_by_order ON session (merchant, order_id, created_at, id);
CREATE INDEX session_by_status ON session (merchant, status, created_at, id);
CREATE INDEX session_by_account ON session (merchant, account, created_at, id);
CREATE INDEX session_by_account_status ON session (merchant, account, status, created_at, id);
CREATE INDEX invoice_by_reference ON invoice (merchant, reference, created_at, id);
CREATE INDEX invoice_by_status ON invoice (merchant, status, created_at, id);
CREATE INDEX invoice_by_account ON invoice (merchant, account, created_at, id);

-- What stands in front of a merchant's references in accounts that others use too; never changed.
CREATE TABLE merchant_tag (
    merchant TEXT PRIMARY KEY,
    tag      TEXT NOT NULL UNIQUE
);

-- A gateway's card may be two merchants' customers', each with a name of its own for it.
CREATE TABLE saved_card_of_merchant (
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
    UNIQUE (merchant, account, customer, gateway_id)
);
INSERT INTO saved_card_of_merchant (id, merchant, account, customer, gateway_id, brand, first6, last4, expiry, name, series_id, created_at)
    SELECT id, merchant, account, customer, gateway_id, brand, first6, last4, expiry, name, series_id, created_at FROM saved_card;
DROP TABLE saved_card;
ALTER TABLE saved_card_of_merchant RENAME TO saved_card;
CREATE INDEX saved_card_customer ON saved_card (merchant, customer, created_at);

-- Whose event it is. NULL where the writer did not say: an earlier version, or rows from before. It is filled in later.
ALTER TABLE event ADD COLUMN merchant TEXT;
DROP INDEX event_at;
CREATE INDEX event_of_merchant ON event (merchant, pos);
CREATE INDEX event_unowned ON event (pos) WHERE merchant IS NULL;
CREATE INDEX event_of_merchant_at ON event (merchant, at);
CREATE INDEX account_event_of_merchant ON account_event (merchant, pos);
CREATE INDEX account_event_of_merchant_at ON account_event (merchant, at);

-- When a line was last tried: events that come while it fails bring its retry forward, but not at once after a try.
ALTER TABLE webhook_endpoint ADD COLUMN tried_at BIGINT NOT NULL DEFAULT 0;
DROP INDEX webhook_endpoint_merchant;
CREATE INDEX webhook_endpoint_own ON webhook_endpoint (merchant, created_at, num) WHERE NOT session_url AND deleted_at = 0;
CREATE INDEX webhook_endpoint_named ON webhook_endpoint (merchant, created_at, num) WHERE session_url AND deleted_at = 0;
CREATE INDEX webhook_endpoint_old ON webhook_endpoint (updated_at) WHERE session_url OR deleted_at > 0;
DROP INDEX webhook_delivery_event;
CREATE INDEX webhook_delivery_event ON webhook_delivery (merchant, event, num);
CREATE INDEX webhook_delivery_troubled ON webhook_delivery (merchant, state, num) WHERE state <> 'delivered';

-- +goose Down
DROP INDEX webhook_delivery_troubled;
DROP INDEX webhook_delivery_event;
CREATE INDEX webhook_delivery_event ON webhook_delivery (event);
DROP INDEX webhook_endpoint_old;
DROP INDEX webhook_endpoint_named;
DROP INDEX webhook_endpoint_own;
CREATE INDEX webhook_endpoint_merchant ON webhook_endpoint (merchant, created_at, id);
ALTER TABLE webhook_endpoint DROP COLUMN tried_at;
DROP INDEX account_event_of_merchant_at;
DROP INDEX account_event_of_merchant;
DROP INDEX event_unowned;
DROP INDEX event_of_merchant_at;
DROP INDEX event_of_merchant;
CREATE INDEX event_at ON event (at);
ALTER TABLE event DROP COLUMN merchant;
DROP TABLE merchant_tag;
DROP INDEX invoice_by_account;
DROP INDEX invoice_by_status;
DROP INDEX invoice_by_reference;
DROP INDEX session_by_account_status;
DROP INDEX session_by_account;
DROP INDEX session_by_status;
DROP INDEX session_by_order;
DROP INDEX session_order_disputed;
DROP INDEX session_claims_order;
CREATE UNIQUE INDEX session_claims_order ON session (account, order_id) WHERE claims_order;
CREATE INDEX session_order_disputed ON session (account, order_id) WHERE order_disputed;
CREATE INDEX session_order ON session (merchant, order_id);
