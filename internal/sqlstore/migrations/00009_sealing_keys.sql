-- Which sealing keys are in use, who uses them, and which older programs can work with these tables. Times as in the first.

-- +goose Up
CREATE TABLE sealing_key (
    id            TEXT PRIMARY KEY, -- '' stands for values that do not say with which key they are sealed
    added_at      BIGINT NOT NULL,
    sealing_since BIGINT NOT NULL,  -- 0: it only opens, as yet
    clean_at      BIGINT NOT NULL,  -- then nothing that is kept was sealed with it; 0: not known, or it seals
    leaving_at    BIGINT NOT NULL,  -- then a start without it began to look whether it is needed; 0 when that has ended
    retired_at    BIGINT NOT NULL
);
INSERT INTO sealing_key (id, added_at, sealing_since, clean_at, leaving_at, retired_at) VALUES ('', 0, 1, 0, 0, 0);

-- The fronts that run, each with the ids of its keys.
CREATE TABLE front (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    seals   TEXT NOT NULL,
    opens   TEXT NOT NULL, -- JSON list
    seen_at BIGINT NOT NULL
);

-- What all fronts have in common. The row "gate" is locked by whoever starts or retires a key.
CREATE TABLE installation (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO installation (name, value) VALUES ('gate', '');

-- A later migration that a program which does not know it can live with says so here: from which migration on a program
-- may still write. A migration without a line cannot be lived with.
CREATE TABLE schema_reach (
    version       BIGINT PRIMARY KEY,
    writable_from BIGINT NOT NULL
);

-- +goose Down
DROP TABLE schema_reach;
DROP TABLE installation;
DROP TABLE front;
DROP TABLE sealing_key;
