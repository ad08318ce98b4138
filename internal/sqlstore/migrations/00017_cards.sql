-- What the gateway says of a saved card beside its digits, when it last said so, and whether the card was imported. A card is found
-- by the gateway's name of it, so that nobody imports what somebody else holds.

-- +goose Up
ALTER TABLE saved_card ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE saved_card ADD COLUMN payment_system TEXT NOT NULL DEFAULT '';
ALTER TABLE saved_card ADD COLUMN info TEXT NOT NULL DEFAULT '';
ALTER TABLE saved_card ADD COLUMN issued_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE saved_card ADD COLUMN checked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE saved_card ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE saved_card ADD COLUMN imported BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX saved_card_gateway ON saved_card (account, gateway_id);
CREATE UNIQUE INDEX saved_card_imported ON saved_card (account, gateway_id) WHERE imported;
CREATE INDEX saved_card_asked ON saved_card (account, asked_at);

-- +goose Down
DROP INDEX saved_card_asked;
DROP INDEX saved_card_imported;
DROP INDEX saved_card_gateway;
ALTER TABLE saved_card DROP COLUMN imported;
ALTER TABLE saved_card DROP COLUMN asked_at;
ALTER TABLE saved_card DROP COLUMN checked_at;
ALTER TABLE saved_card DROP COLUMN issued_at;
ALTER TABLE saved_card DROP COLUMN info;
ALTER TABLE saved_card DROP COLUMN payment_system;
ALTER TABLE saved_card DROP COLUMN kind;
