-- +goose Up
ALTER TABLE credential ADD COLUMN issued_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE credential DROP COLUMN issued_at;
