-- What a person has to look at is found by the merchant. Times as in the first.

-- +goose Up
ALTER TABLE session ADD COLUMN needs_review BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE session ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE; -- the gateway tells of another payment than ours
UPDATE session SET held = TRUE WHERE id IN (SELECT session FROM attempt WHERE state = 'held');
UPDATE session SET needs_review = TRUE WHERE body LIKE '%"needs_review":true%'
    OR id IN (SELECT session FROM attempt WHERE body LIKE '%"needs_review":true%' AND state NOT IN ('authorized', 'paid'));
CREATE INDEX session_needs_review ON session (merchant, created_at, id) WHERE needs_review;
CREATE INDEX session_held ON session (merchant, created_at, id) WHERE held;

-- +goose Down
DROP INDEX session_held;
DROP INDEX session_needs_review;
ALTER TABLE session DROP COLUMN held;
ALTER TABLE session DROP COLUMN needs_review;
