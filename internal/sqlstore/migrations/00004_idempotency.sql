-- +goose Up
CREATE TABLE idempotency (
    merchant     TEXT NOT NULL,
    key          TEXT NOT NULL,
    token        TEXT NOT NULL,
    salt         TEXT NOT NULL, -- sealed
    print        TEXT NOT NULL,
    lease_until  BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    session      TEXT NOT NULL, -- what was done under the claim; '' nothing
    operation    BIGINT NOT NULL,
    status       BIGINT NOT NULL, -- of the answer; 0 while there is none
    content_type TEXT NOT NULL,
    location     TEXT NOT NULL,
    body         BYTEA NOT NULL,
    PRIMARY KEY (merchant, key)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- +goose Down
DROP TABLE idempotency;
