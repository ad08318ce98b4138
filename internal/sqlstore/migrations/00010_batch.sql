-- +goose Up
-- SQLite: the newest transaction of a front, which reads it where a commit ended with an error.
ALTER TABLE pulse ADD COLUMN batch BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE pulse DROP COLUMN batch;
