-- Whose a saved card is at the gateway, where that is not what the merchant calls the customer.

-- +goose Up
ALTER TABLE saved_card ADD COLUMN gateway_customer TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE saved_card DROP COLUMN gateway_customer;
