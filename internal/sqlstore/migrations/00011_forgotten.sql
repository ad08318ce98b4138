-- What a database that forgot its last commits must not mix up. Times as in the first.

-- +goose Up
-- The random end of an event's id. An event that took the place of one that was lost has another; NULL: of an earlier version.
ALTER TABLE event ADD COLUMN suffix TEXT;
ALTER TABLE account_event ADD COLUMN suffix TEXT;

-- Proved callbacks for references that no attempt has.
CREATE TABLE unmatched_callback (
    account       TEXT NOT NULL,
    reference     TEXT NOT NULL,
    gateway_order TEXT NOT NULL,
    event         TEXT NOT NULL, -- the gateway's word
    times         BIGINT NOT NULL,
    first_at      BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    asked_at      BIGINT NOT NULL, -- when the gateway was asked what stands under the reference; 0: not yet
    PRIMARY KEY (account, reference)
);
CREATE INDEX unmatched_callback_newest ON unmatched_callback (account, first_at, reference);

INSERT INTO schema_reach (version, writable_from) VALUES (11, 9);

-- +goose Down
DELETE FROM schema_reach WHERE version = 11;
DROP TABLE unmatched_callback;
ALTER TABLE account_event DROP COLUMN suffix;
ALTER TABLE event DROP COLUMN suffix;
