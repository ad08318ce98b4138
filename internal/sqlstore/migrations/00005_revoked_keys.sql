-- +goose Up
CREATE TABLE revoked_key (
    hash       TEXT PRIMARY KEY, -- SHA-256 of the key, hex
    revoked_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE revoked_key;
