-- What merchants ask of a gateway beside payments. Times as in the first.

-- +goose Up
CREATE TABLE invoice (
    id         TEXT PRIMARY KEY,
    version    BIGINT NOT NULL,
    merchant   TEXT NOT NULL,
    account    TEXT NOT NULL,
    reference  TEXT NOT NULL,
    status     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    body       TEXT NOT NULL,
    UNIQUE (account, reference)
);
CREATE INDEX invoice_newest ON invoice (merchant, created_at, id);

CREATE TABLE card_order (
    account    TEXT NOT NULL,
    reference  TEXT NOT NULL,
    merchant   TEXT NOT NULL,
    customer   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    card       TEXT NOT NULL, -- the saved card that came of it; '' until then
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, reference)
);

-- Whose customers have logged in: a gateway's customer may be several merchants'.
CREATE TABLE met_customer (
    merchant TEXT NOT NULL,
    account  TEXT NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (merchant, account, customer)
);

-- +goose Down
DROP TABLE met_customer;
DROP TABLE card_order;
DROP TABLE invoice;
