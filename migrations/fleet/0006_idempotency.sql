-- SPDX-License-Identifier: Apache-2.0
-- What a POST with an Idempotency-Key has made, so that its repetition makes nothing and is answered the same, also when
-- the first answer was lost with the process. The row is written in the transaction of what it tells about; the answer
-- follows when it is given. Both secrets (an answer holds a service key) are sealed under the key file outside the
-- database, and gone after a day.
CREATE TABLE fleet.idempotency (
    account_id text NOT NULL REFERENCES fleet.account,
    caller     text NOT NULL,
    key        text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
    route      text NOT NULL,
    body_hash  bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    subject    uuid NOT NULL,
    -- The service key that was made, until the answer with it is kept.
    secret     bytea,
    status     integer,
    answer     bytea,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    PRIMARY KEY (account_id, caller, key)
);
CREATE INDEX idempotency_by_age ON fleet.idempotency (account_id, caller, expires_at);

GRANT SELECT, INSERT, DELETE ON fleet.idempotency TO millrace_serve;
GRANT UPDATE (secret, status, answer) ON fleet.idempotency TO millrace_serve;
