-- SPDX-License-Identifier: Apache-2.0
-- The fleet: what the control plane sells and what it wants to be true.
--
-- Two processes meet here and nowhere else. `serve` (role millrace_serve) writes what is desired; `provision`
-- (role millrace_provision) makes it so and writes what it observed. Who writes which column is enforced by the grants
-- at the end of this file. The columns of an instance fall into three groups:
--
--   desired   written by serve; every change raises `revision` and opens an operation
--   observed  written by provision: cell_id, instance_no, endpoints, published_revision
--   phase     the one state machine; Resource Controller and OSB states are projections of it
--
--     creating ──▶ ready ◀──▶ updating          serve moves into creating, updating, deleting
--        │           │            │             provision moves out: ready, removed, failed
--        ├───────────┴────────────┴─▶ deleting ──▶ removed
--        └─▶ failed ─▶ deleting
--
-- Wake-ups: serve notifies `fleet_desired` after its commits, provision `fleet_observed` after its own, each in a
-- statement of its own; payload is the id of the instance or credential. They are hints: both sides also poll.
CREATE SCHEMA fleet;

CREATE TABLE fleet.account (
    account_id text PRIMARY KEY CHECK (account_id ~ '^[0-9a-f]{32}$'),
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE fleet.resource_group (
    resource_group_id text PRIMARY KEY CHECK (resource_group_id ~ '^[0-9a-f]{32}$'),
    account_id        text NOT NULL REFERENCES fleet.account,
    name              text NOT NULL,
    is_default        boolean NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, name)
);

-- Keys of people and operators for REST: the verifier, never the key.
CREATE TABLE fleet.account_key (
    key_id      text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{16}$'),
    account_id  text NOT NULL REFERENCES fleet.account,
    name        text NOT NULL,
    iam_id      text NOT NULL UNIQUE,
    role        text NOT NULL CHECK (role IN ('Manager', 'Writer', 'Reader')),
    verifier    bytea NOT NULL CHECK (octet_length(verifier) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    disabled_at timestamptz
);

-- Token-signing keys, private half sealed under the key file that lies outside the database. The newest signs; a
-- retired one stays published until its last token has expired.
CREATE TABLE fleet.signing_key (
    kid            text PRIMARY KEY,
    modulus        text NOT NULL,
    exponent       text NOT NULL,
    sealed_private bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    retired_at     timestamptz
);
-- One key signs at a time, however many replicas start at once.
CREATE UNIQUE INDEX signing_key_current ON fleet.signing_key ((true)) WHERE retired_at IS NULL;

-- What is sold. `parameters` lists the choices a customer has: {name: {"values": {value: {limit: number}},
-- "default": value, "grows_only": true}}; the chosen value's limits replace those of the plan.
CREATE TABLE fleet.plan (
    plan_id             text PRIMARY KEY,
    name                text NOT NULL UNIQUE,
    display_name        text NOT NULL,
    resource_id         text NOT NULL,
    sharing             text NOT NULL CHECK (sharing IN ('shared', 'dedicated')),
    is_offered          boolean NOT NULL DEFAULT true,
    internal_partitions integer NOT NULL CHECK (internal_partitions > 0),
    internal_visible    boolean NOT NULL,
    reclamation_hours   integer NOT NULL CHECK (reclamation_hours >= 0),
    limits              jsonb NOT NULL,
    topic_settings      jsonb,
    parameters          jsonb NOT NULL DEFAULT '{}',
    upgrades_to         text[] NOT NULL DEFAULT '{}'
);

CREATE TABLE fleet.cell (
    cell_id      uuid PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('shared', 'dedicated')),
    broker_count integer NOT NULL CHECK (broker_count IN (1, 3)),
    desired      text NOT NULL DEFAULT 'present' CHECK (desired IN ('present', 'absent')),
    store        text NOT NULL DEFAULT 'main',
    cell_no      integer,
    role_name    text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    removed_at   timestamptz
);

CREATE TABLE fleet.instance (
    instance_id       uuid PRIMARY KEY,
    created_seq       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    account_id        text NOT NULL REFERENCES fleet.account,
    resource_group_id text NOT NULL REFERENCES fleet.resource_group,
    plan_id           text NOT NULL REFERENCES fleet.plan,
    name              text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 180),
    label             text NOT NULL UNIQUE CHECK (label ~ '^[a-z][a-z0-9]{15}$'),
    crn               text NOT NULL UNIQUE,
    region_id         text NOT NULL,
    target_crn        text NOT NULL,

    -- desired
    revision            bigint NOT NULL DEFAULT 1,
    sharing             text NOT NULL CHECK (sharing IN ('shared', 'dedicated')),
    limits              jsonb NOT NULL,
    topic_settings      jsonb,
    internal_partitions integer NOT NULL,
    internal_visible    boolean NOT NULL,
    plaintext_port      integer CHECK (plaintext_port BETWEEN 1 AND 65534),
    parameters          jsonb NOT NULL DEFAULT '{}',
    onetime_credentials boolean NOT NULL DEFAULT false,
    allow_cleanup       boolean NOT NULL DEFAULT false,
    locked              boolean NOT NULL DEFAULT false,
    plan_history        jsonb NOT NULL DEFAULT '[]',

    phase text NOT NULL DEFAULT 'creating'
        CHECK (phase IN ('creating', 'ready', 'updating', 'deleting', 'removed', 'failed')),

    -- observed; endpoints: {"brokers": ["host:port", …], "http_url": "https://host:port/instances/<guid>"}
    cell_id            uuid REFERENCES fleet.cell,
    instance_no        integer,
    published_revision bigint NOT NULL DEFAULT 0,
    endpoints          jsonb,

    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL DEFAULT '',
    deleted_at timestamptz,
    deleted_by text NOT NULL DEFAULT ''
);
CREATE INDEX instance_by_account ON fleet.instance (account_id, created_seq);
CREATE UNIQUE INDEX instance_plaintext_port ON fleet.instance (plaintext_port) WHERE phase <> 'removed';
CREATE INDEX instance_to_do ON fleet.instance (created_seq) WHERE phase IN ('creating', 'updating', 'deleting');

-- What was asked, and what became of it. One mutating operation runs per instance; a delete supersedes: it closes
-- the running one as failed, reason `superseded`, in the transaction that opens its own.
CREATE TABLE fleet.operation (
    operation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id  uuid NOT NULL REFERENCES fleet.instance,
    type         text NOT NULL CHECK (type IN ('create', 'update', 'delete', 'lock', 'unlock')),
    is_async     boolean NOT NULL,
    state        text NOT NULL DEFAULT 'in progress' CHECK (state IN ('in progress', 'succeeded', 'failed')),
    revision     bigint NOT NULL,
    description  text NOT NULL,
    reason_code  text NOT NULL DEFAULT '',
    request_id   text NOT NULL,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX operation_by_instance ON fleet.operation (instance_id, operation_id DESC);
CREATE UNIQUE INDEX operation_running ON fleet.operation (instance_id) WHERE state = 'in progress';

-- Service credentials. serve makes `creating` and `deleting`; provision answers `active`, `removed`, `failed` once every
-- broker that holds a lease has acknowledged. A removed row keeps its history and loses its verifiers.
CREATE TABLE fleet.credential (
    credential_id uuid PRIMARY KEY,
    created_seq   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    instance_id   uuid NOT NULL REFERENCES fleet.instance,
    account_id    text NOT NULL REFERENCES fleet.account,
    crn           text NOT NULL UNIQUE,
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 180),
    role          text NOT NULL CHECK (role IN ('Manager', 'Writer', 'Reader', 'NONE')),
    key_id        text NOT NULL UNIQUE CHECK (key_id ~ '^[0-9a-f]{16}$'),
    revision      bigint NOT NULL DEFAULT 1,
    state         text NOT NULL DEFAULT 'creating'
        CHECK (state IN ('creating', 'active', 'deleting', 'removed', 'failed')),
    verifier      bytea CHECK (octet_length(verifier) = 32),
    scram_sha_256 jsonb,
    scram_sha_512 jsonb,
    sealed_key    bytea,
    onetime       boolean NOT NULL,
    parameters    jsonb NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL,
    updated_at    timestamptz,
    updated_by    text NOT NULL DEFAULT '',
    deleted_at    timestamptz,
    deleted_by    text NOT NULL DEFAULT '',
    CHECK (state IN ('deleting', 'removed', 'failed') OR verifier IS NOT NULL)
);
CREATE INDEX credential_by_instance ON fleet.credential (instance_id, created_seq);
CREATE INDEX credential_by_account ON fleet.credential (account_id, created_seq);
CREATE INDEX credential_to_do ON fleet.credential (created_seq) WHERE state IN ('creating', 'deleting');

-- Who did what. Nobody may change or delete a row.
CREATE TABLE fleet.audit_event (
    event_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    account_id     text NOT NULL,
    actor          text NOT NULL,
    source_address text NOT NULL,
    action         text NOT NULL,
    target         text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('success', 'failure')),
    reason         text NOT NULL DEFAULT '',
    request_id     text NOT NULL,
    detail         jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_event_by_account ON fleet.audit_event (account_id, event_id);
