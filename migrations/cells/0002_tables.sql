-- SPDX-License-Identifier: Apache-2.0
-- What a cell has agreed on. Nobody but the functions of later files touches these tables; row-level security stands
-- behind the functions, so that even a wrong WHERE shows a broker nothing of another cell.
--
-- The row of a cell is its mutex: every change locks it first, so versions are committed in order and any snapshot of
-- the database shows a prefix of them, whole.
SET LOCAL ROLE millrace_cells_owner;

CREATE TABLE cell_private.cell (
    cell_no          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cell_id          uuid NOT NULL UNIQUE,
    kind             text NOT NULL CHECK (kind IN ('shared', 'dedicated')),
    broker_count     integer NOT NULL CHECK (broker_count IN (1, 3)),
    role_name        text NOT NULL UNIQUE CHECK (role_name ~ '^millrace_cell_[0-9a-f]{32}$'),
    lease_ms         integer NOT NULL CHECK (lease_ms >= 0),
    version          bigint NOT NULL DEFAULT 0 CHECK (version >= floor_version),
    -- Changes up to and including this version are no longer kept.
    floor_version    bigint NOT NULL DEFAULT 0,
    -- Only ever grows: the number of a removed instance is never given to another.
    next_instance_no integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE cell_private.broker (
    cell_no       integer NOT NULL REFERENCES cell_private.cell,
    broker_id     integer NOT NULL CHECK (broker_id >= 0),
    incarnation   uuid NOT NULL,
    -- The last incarnations that were overtaken: a zombie that registers again stays fenced.
    former        uuid[] NOT NULL DEFAULT '{}',
    directory     uuid NOT NULL,
    epoch         bigint NOT NULL,
    rack          text,
    is_clean      boolean NOT NULL,
    software      text NOT NULL CHECK (char_length(software) <= 200),
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (cell_no, broker_id)
);

-- High halves of producer ids. A data directory keeps its number for life, and none is given twice.
CREATE SEQUENCE cell_private.producer_registration AS integer MINVALUE 1 MAXVALUE 2147483647 NO CYCLE;
CREATE TABLE cell_private.data_directory (
    directory             uuid PRIMARY KEY,
    cell_no               integer NOT NULL REFERENCES cell_private.cell,
    broker_id             integer NOT NULL,
    producer_registration integer NOT NULL UNIQUE
);

-- Narrow and hot: written by every heartbeat with asynchronous commit. The database's clock decides.
CREATE TABLE cell_private.broker_lease (
    cell_no              integer NOT NULL,
    broker_id            integer NOT NULL,
    incarnation          uuid NOT NULL,
    lease_until          timestamptz NOT NULL,
    last_seen            timestamptz NOT NULL,
    acknowledged_version bigint NOT NULL,
    PRIMARY KEY (cell_no, broker_id)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- limits: -1 = no bound. partition_count: partitions of topics that are not internal, for the check in the same
-- transaction.
CREATE TABLE cell_private.tenant (
    cell_no                       integer NOT NULL REFERENCES cell_private.cell,
    instance_no                   integer NOT NULL CHECK (instance_no > 0),
    instance_id                   uuid NOT NULL,
    label                         text NOT NULL CHECK (label ~ '^[a-z0-9][a-z0-9-]{0,61}$'),
    revision                      bigint NOT NULL,
    state                         text NOT NULL CHECK (state IN ('active', 'suspended')),
    internal_partitions           integer NOT NULL CHECK (internal_partitions BETWEEN 1 AND 1000),
    internal_visible              boolean NOT NULL,
    partitions                    bigint NOT NULL CHECK (partitions >= -1),
    produce_bytes_per_second      bigint NOT NULL CHECK (produce_bytes_per_second >= -1),
    consume_bytes_per_second      bigint NOT NULL CHECK (consume_bytes_per_second >= -1),
    connections                   bigint NOT NULL CHECK (connections >= -1),
    groups                        bigint NOT NULL CHECK (groups >= -1),
    max_message_bytes             bigint NOT NULL CHECK (max_message_bytes >= -1),
    retention_bytes_per_partition bigint NOT NULL CHECK (retention_bytes_per_partition >= -1),
    storage_bytes                 bigint NOT NULL CHECK (storage_bytes >= -1),
    topic_settings                jsonb CHECK (jsonb_typeof(topic_settings) = 'object'),
    partition_count               bigint NOT NULL DEFAULT 0 CHECK (partition_count >= 0),
    PRIMARY KEY (cell_no, instance_no),
    UNIQUE (cell_no, instance_id),
    UNIQUE (cell_no, label)
);

CREATE TABLE cell_private.listener (
    cell_no                integer NOT NULL REFERENCES cell_private.cell,
    broker_id              integer NOT NULL CHECK (broker_id >= 0),
    name                   text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    host                   text NOT NULL CHECK (char_length(host) BETWEEN 1 AND 253),
    port                   integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    security               text NOT NULL CHECK (security IN ('SASL_SSL', 'SASL_PLAINTEXT', 'PLAINTEXT')),
    instance_no            integer,
    auto_create_partitions integer NOT NULL DEFAULT 0 CHECK (auto_create_partitions BETWEEN 0 AND 1000),
    PRIMARY KEY (cell_no, broker_id, name),
    UNIQUE (cell_no, broker_id, port),
    FOREIGN KEY (cell_no, instance_no) REFERENCES cell_private.tenant,
    -- Without a login only the port can say whose connection it is.
    CHECK (security <> 'PLAINTEXT' OR instance_no IS NOT NULL),
    CHECK (auto_create_partitions = 0 OR instance_no IS NOT NULL)
);

CREATE TYPE cell_private.scram AS (salt bytea, iterations integer, stored_key bytea, server_key bytea);
CREATE TABLE cell_private.credential (
    cell_no       integer NOT NULL,
    key_id        text NOT NULL CHECK (key_id ~ '^[0-9a-f]{16}$'),
    instance_no   integer NOT NULL,
    revision      bigint NOT NULL,
    role          text NOT NULL CHECK (role IN ('Manager', 'Writer', 'Reader', 'NONE')),
    verifier      bytea NOT NULL CHECK (octet_length(verifier) = 32),
    scram_sha_256 cell_private.scram CHECK (scram_sha_256 IS NULL OR (
        octet_length((scram_sha_256).salt) >= 16 AND (scram_sha_256).iterations >= 4096
        AND octet_length((scram_sha_256).stored_key) = 32 AND octet_length((scram_sha_256).server_key) = 32)),
    scram_sha_512 cell_private.scram CHECK (scram_sha_512 IS NULL OR (
        octet_length((scram_sha_512).salt) >= 16 AND (scram_sha_512).iterations >= 4096
        AND octet_length((scram_sha_512).stored_key) = 64 AND octet_length((scram_sha_512).server_key) = 64)),
    PRIMARY KEY (cell_no, key_id),
    FOREIGN KEY (cell_no, instance_no) REFERENCES cell_private.tenant
);
CREATE INDEX credential_by_instance ON cell_private.credential (cell_no, instance_no);

CREATE TABLE cell_private.topic (
    cell_no     integer NOT NULL,
    topic_id    uuid NOT NULL,
    instance_no integer NOT NULL,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 249),
    is_internal boolean NOT NULL,
    configs     jsonb NOT NULL DEFAULT '{}'
        CHECK (jsonb_typeof(configs) = 'object' AND octet_length(configs::text) <= 65536),
    PRIMARY KEY (cell_no, topic_id),
    UNIQUE (cell_no, instance_no, name),
    FOREIGN KEY (cell_no, instance_no) REFERENCES cell_private.tenant,
    -- Internal topics count against no limit, so the flag is not free to choose.
    CHECK (is_internal = (name IN ('__consumer_offsets', '__transaction_state', '__share_group_state')))
);

CREATE TABLE cell_private.partition (
    cell_no         integer NOT NULL,
    topic_id        uuid NOT NULL,
    partition       integer NOT NULL CHECK (partition >= 0),
    leader          integer NOT NULL CHECK (leader >= -1),
    leader_epoch    integer NOT NULL DEFAULT 0 CHECK (leader_epoch >= 0),
    partition_epoch integer NOT NULL DEFAULT 0 CHECK (partition_epoch >= 0),
    replicas        integer[] NOT NULL CHECK (cardinality(replicas) BETWEEN 1 AND 3),
    isr             integer[] NOT NULL CHECK (isr <@ replicas),
    PRIMARY KEY (cell_no, topic_id, partition),
    FOREIGN KEY (cell_no, topic_id) REFERENCES cell_private.topic ON DELETE CASCADE,
    CHECK (leader = -1 OR leader = ANY (replicas))
);

-- Append-only but for trimming. A null payload removes the object; such a row is also what keeps a late, repeated
-- put from bringing a removed object back.
CREATE TABLE cell_private.cell_change (
    cell_no integer NOT NULL REFERENCES cell_private.cell,
    v       bigint NOT NULL,
    seq     bigint GENERATED ALWAYS AS IDENTITY,
    kind    text NOT NULL CHECK (kind IN ('broker', 'listener', 'tenant', 'credential', 'topic')),
    key     text NOT NULL,
    payload text,
    PRIMARY KEY (cell_no, v, seq)
);
CREATE INDEX cell_change_removed ON cell_private.cell_change (cell_no, kind, key) WHERE payload IS NULL;

-- The same request id again gives the same answer, for an hour.
CREATE TABLE cell_private.cell_request (
    cell_no    integer NOT NULL REFERENCES cell_private.cell,
    request_id uuid NOT NULL,
    answer     jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (cell_no, request_id)
);
CREATE INDEX cell_request_by_age ON cell_private.cell_request (cell_no, created_at);

-- The cell of whoever logged in. SECURITY DEFINER and SET ROLE do not change session_user.
CREATE FUNCTION cell_private.session_cell_no() RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT cell_no FROM cell_private.cell WHERE role_name = session_user $$;

CREATE FUNCTION cell_private.is_admin() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_catalog.pg_has_role(session_user, 'millrace_provision', 'USAGE') $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_private FROM PUBLIC;

ALTER TABLE cell_private.cell ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_cell ON cell_private.cell
    USING (role_name = session_user OR (SELECT cell_private.is_admin()));

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['broker', 'data_directory', 'broker_lease', 'tenant', 'listener', 'credential', 'topic',
                                'partition', 'cell_change', 'cell_request'] LOOP
        EXECUTE format('ALTER TABLE cell_private.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_cell ON cell_private.%I USING (cell_no = (SELECT '
                       'cell_private.session_cell_no()) OR (SELECT cell_private.is_admin()))', name);
    END LOOP;
END
$$;
