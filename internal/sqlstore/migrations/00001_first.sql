-- One text for SQLite and PostgreSQL. Times are microseconds since 1970, UTC; 0 means never. Bodies are JSON.

-- +goose Up
CREATE TABLE session (
    id             TEXT PRIMARY KEY,
    version        BIGINT NOT NULL,
    merchant       TEXT NOT NULL,
    account        TEXT NOT NULL,
    order_id       TEXT NOT NULL,
    claims_order   BOOLEAN NOT NULL, -- the order id is this session's
    order_disputed BOOLEAN NOT NULL, -- money came for it when the order id was another session's already
    status         TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    body           TEXT NOT NULL,
    CHECK (NOT (claims_order AND order_disputed))
);
CREATE UNIQUE INDEX session_claims_order ON session (account, order_id) WHERE claims_order;
CREATE INDEX session_order_disputed ON session (account, order_id) WHERE order_disputed;
CREATE INDEX session_newest ON session (merchant, created_at, id);
CREATE INDEX session_order ON session (merchant, order_id);

CREATE TABLE attempt (
    session   TEXT NOT NULL REFERENCES session (id),
    n         BIGINT NOT NULL,
    state     TEXT NOT NULL,
    live      BOOLEAN NOT NULL,
    account   TEXT NOT NULL,
    order_id  TEXT NOT NULL,
    reference TEXT NOT NULL,
    body      TEXT NOT NULL,
    PRIMARY KEY (session, n)
);
CREATE UNIQUE INDEX attempt_one_live ON attempt (session) WHERE live;
CREATE UNIQUE INDEX attempt_reference ON attempt (account, reference);
CREATE INDEX attempt_order ON attempt (account, order_id);

CREATE TABLE run (
    token   TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    UNIQUE (session, attempt, n),
    FOREIGN KEY (session, attempt) REFERENCES attempt (session, n)
);

CREATE TABLE gateway_call (
    session     TEXT NOT NULL,
    attempt     BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    round       BIGINT NOT NULL,
    version     BIGINT NOT NULL, -- of the session that permitted it: the order of calls, whatever the clock did
    sent_at     BIGINT NOT NULL,
    answered_at BIGINT NOT NULL,
    result      TEXT NOT NULL,
    PRIMARY KEY (session, attempt, kind, round),
    FOREIGN KEY (session, attempt) REFERENCES attempt (session, n)
);

CREATE TABLE event (
    session TEXT NOT NULL REFERENCES session (id),
    n       BIGINT NOT NULL,
    type    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    data    TEXT NOT NULL,
    pos     BIGINT, -- place among all events; given when events are first read in that order
    PRIMARY KEY (session, n)
);
CREATE UNIQUE INDEX event_pos ON event (pos);
CREATE INDEX event_unplaced ON event (session, n) WHERE pos IS NULL;

CREATE TABLE job (
    id          BIGINT PRIMARY KEY,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    payload     TEXT NOT NULL,
    run_at      BIGINT NOT NULL,
    attempt     BIGINT NOT NULL,
    worker      TEXT NOT NULL, -- '' while waiting
    lease_until BIGINT NOT NULL
);
CREATE UNIQUE INDEX job_waiting ON job (kind, key) WHERE worker = '';
CREATE INDEX job_due ON job (run_at, id);
CREATE INDEX job_leased ON job (worker) WHERE worker <> '';

CREATE TABLE browser_session (
    token      TEXT PRIMARY KEY,
    data       BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX browser_session_expires ON browser_session (expires_at);

-- Tables of one row.
CREATE TABLE event_place (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    last BIGINT NOT NULL -- the greatest event.pos given
);
INSERT INTO event_place (one, last) VALUES (1, 0);
CREATE TABLE pulse (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    at  BIGINT NOT NULL -- of the last health check
);
INSERT INTO pulse (one, at) VALUES (1, 0);

-- +goose Down
DROP TABLE pulse;
DROP TABLE event_place;
DROP TABLE browser_session;
DROP TABLE job;
DROP TABLE event;
DROP TABLE gateway_call;
DROP TABLE run;
DROP TABLE attempt;
DROP TABLE session;
