-- What strangers did how often, where several machines have to agree on it: by when all of it has come back. Keys are keyed
-- fingerprints.

-- +goose Up
CREATE TABLE limit_bucket (
    key  TEXT PRIMARY KEY,
    back BIGINT NOT NULL
);
CREATE INDEX limit_bucket_back ON limit_bucket (back);

-- +goose Down
DROP TABLE limit_bucket;
