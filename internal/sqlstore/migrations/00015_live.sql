-- The attempts under way, by account: what a start, and whoever takes an account away, has to know.

-- +goose Up
CREATE INDEX attempt_live_account ON attempt (account) WHERE live;

-- +goose Down
DROP INDEX attempt_live_account;
