-- SPDX-License-Identifier: Apache-2.0
-- The rows of a cell as brokers see them: (kind, key, payload). One view per kind, so that a change and a snapshot
-- cannot disagree about a payload; and the steps that every change is made of.
SET LOCAL ROLE millrace_cells_owner;

CREATE VIEW cell_private.broker_object AS
SELECT cell_no, broker_id, 'broker'::text AS kind, broker_id::text AS key,
       jsonb_build_object('id', broker_id, 'epoch', epoch, 'rack', rack)::text AS payload
FROM cell_private.broker;

CREATE VIEW cell_private.listener_object AS
SELECT cell_no, broker_id, name, 'listener'::text AS kind, broker_id || '/' || name AS key,
       jsonb_build_object('broker', broker_id, 'name', name, 'host', host, 'port', port, 'security', security,
                          'instance_no', instance_no, 'auto_create_partitions', auto_create_partitions)::text AS payload
FROM cell_private.listener;

CREATE VIEW cell_private.tenant_object AS
SELECT cell_no, instance_no, 'tenant'::text AS kind, instance_id::text AS key,
       jsonb_build_object(
           'instance', instance_id, 'instance_no', instance_no, 'label', label, 'state', state,
           'internal_partitions', internal_partitions, 'internal_visible', internal_visible,
           'limits', jsonb_build_object(
               'partitions', partitions, 'produce_bytes_per_second', produce_bytes_per_second,
               'consume_bytes_per_second', consume_bytes_per_second, 'connections', connections, 'groups', groups,
               'max_message_bytes', max_message_bytes,
               'retention_bytes_per_partition', retention_bytes_per_partition, 'storage_bytes', storage_bytes),
           'topic_settings', topic_settings)::text AS payload
FROM cell_private.tenant;

-- encode() breaks lines after 76 characters; JSON wants none.
CREATE FUNCTION cell_private.scram_payload(verifier cell_private.scram) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN (verifier).salt IS NOT NULL THEN jsonb_build_object(
        'salt', replace(encode((verifier).salt, 'base64'), E'\n', ''), 'iterations', (verifier).iterations,
        'stored_key', replace(encode((verifier).stored_key, 'base64'), E'\n', ''),
        'server_key', replace(encode((verifier).server_key, 'base64'), E'\n', '')) END
$$;

CREATE VIEW cell_private.credential_object AS
SELECT cell_no, key_id, 'credential'::text AS kind, key_id AS key,
       jsonb_build_object('key_id', key_id, 'instance_no', instance_no, 'role', role,
                          'verifier', encode(verifier, 'hex'),
                          'scram_sha_256', cell_private.scram_payload(scram_sha_256),
                          'scram_sha_512', cell_private.scram_payload(scram_sha_512))::text AS payload
FROM cell_private.credential;

CREATE VIEW cell_private.topic_object AS
SELECT t.cell_no, t.topic_id, 'topic'::text AS kind, t.topic_id::text AS key,
       jsonb_build_object(
           'topic_id', t.topic_id, 'instance_no', t.instance_no, 'name', t.name, 'internal', t.is_internal,
           'configs', t.configs,
           'partitions', (SELECT jsonb_agg(jsonb_build_array(p.leader, p.leader_epoch, p.partition_epoch,
                                                             to_jsonb(p.replicas), to_jsonb(p.isr))
                                           ORDER BY p.partition)
                          FROM cell_private.partition p
                          WHERE p.cell_no = t.cell_no AND p.topic_id = t.topic_id))::text AS payload
FROM cell_private.topic t;

-- Tenants before what belongs to them, as in the change log.
CREATE VIEW cell_private.object AS
SELECT cell_no, 1 AS place, kind, key, payload FROM cell_private.broker_object
UNION ALL SELECT cell_no, 2, kind, key, payload FROM cell_private.tenant_object
UNION ALL SELECT cell_no, 3, kind, key, payload FROM cell_private.listener_object
UNION ALL SELECT cell_no, 4, kind, key, payload FROM cell_private.credential_object
UNION ALL SELECT cell_no, 5, kind, key, payload FROM cell_private.topic_object;

-- First step of every change of a broker: its own cell's row, locked until commit.
CREATE FUNCTION cell_private.lock_session_cell() RETURNS cell_private.cell
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home cell_private.cell;
BEGIN
    SELECT * INTO home FROM cell_private.cell WHERE role_name = session_user FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role % is not the role of any cell', session_user USING ERRCODE = 'MR003';
    END IF;
    RETURN home;
END
$$;

CREATE FUNCTION cell_private.require_session_cell() RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home integer := cell_private.session_cell_no();
BEGIN
    IF home IS NULL THEN
        RAISE EXCEPTION 'role % is not the role of any cell', session_user USING ERRCODE = 'MR003';
    END IF;
    RETURN home;
END
$$;

-- The same for the control plane, which names the cell.
CREATE FUNCTION cell_private.lock_cell(wanted uuid) RETURNS cell_private.cell
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home cell_private.cell;
BEGIN
    SELECT * INTO home FROM cell_private.cell WHERE cell_id = wanted FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no cell %', wanted USING ERRCODE = 'MR003';
    END IF;
    RETURN home;
END
$$;

-- Last step of every change: version v, whose rows are in cell_change already, is what the cell has agreed on. Now and
-- then trims what is older than 100 000 versions; a broker that is further behind takes a snapshot.
CREATE FUNCTION cell_private.close_version(home integer, closed bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept CONSTANT bigint := 100000;
BEGIN
    UPDATE cell_private.cell SET version = closed WHERE cell_no = home;
    IF closed % 1000 <> 0 THEN
        RETURN;
    END IF;
    IF closed > kept THEN
        UPDATE cell_private.cell SET floor_version = closed - kept WHERE cell_no = home;
        DELETE FROM cell_private.cell_change WHERE cell_no = home AND v <= closed - kept;
    END IF;
END
$$;

-- Removed objects do not come back: their ids are random, so a put after a removal is a repetition that came late.
CREATE FUNCTION cell_private.was_removed(home integer, object_kind text, object_key text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM cell_private.cell_change
                   WHERE cell_no = home AND kind = object_kind AND key = object_key AND payload IS NULL)
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_private FROM PUBLIC;
