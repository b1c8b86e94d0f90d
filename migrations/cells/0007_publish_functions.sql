-- SPDX-License-Identifier: Apache-2.0
-- What the control plane publishes to a cell: listeners, instances, credentials. Idempotent upserts with the
-- revision of the fleet's row: an older one changes nothing, the same content makes no version, and what was removed
-- does not come back by a repetition that came late (SQLSTATE MR004).
SET LOCAL ROLE millrace_cells_owner;

CREATE FUNCTION cell_admin.v1_put_listener(cell_id uuid, listener jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v1_put_listener.cell_id);
    broker integer := (listener ->> 'broker')::integer;
BEGIN
    IF broker NOT BETWEEN 0 AND home.broker_count - 1 THEN
        RAISE EXCEPTION 'broker % is not one of the % of this cell', broker, home.broker_count USING ERRCODE = '22023';
    END IF;
    INSERT INTO cell_private.listener AS l
        (cell_no, broker_id, name, host, port, security, instance_no, auto_create_partitions)
    VALUES (home.cell_no, broker, listener ->> 'name', listener ->> 'host', (listener ->> 'port')::integer,
            listener ->> 'security', (listener ->> 'instance_no')::integer,
            coalesce((listener ->> 'auto_create_partitions')::integer, 0))
    ON CONFLICT (cell_no, broker_id, name) DO UPDATE
    SET host = excluded.host, port = excluded.port, security = excluded.security, instance_no = excluded.instance_no,
        auto_create_partitions = excluded.auto_create_partitions
    WHERE l IS DISTINCT FROM excluded;
    IF FOUND THEN
        home.version := home.version + 1;
        INSERT INTO cell_private.cell_change (cell_no, v, kind, key, payload)
        SELECT o.cell_no, home.version, o.kind, o.key, o.payload FROM cell_private.listener_object o
        WHERE o.cell_no = home.cell_no AND o.broker_id = broker AND o.name = listener ->> 'name';
        PERFORM cell_private.close_version(home.cell_no, home.version);
    END IF;
    RETURN home.version;
END
$$;

CREATE FUNCTION cell_admin.v1_remove_listener(cell_id uuid, broker int, name text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v1_remove_listener.cell_id);
BEGIN
    DELETE FROM cell_private.listener l
    WHERE l.cell_no = home.cell_no AND l.broker_id = v1_remove_listener.broker AND l.name = v1_remove_listener.name;
    IF FOUND THEN
        home.version := home.version + 1;
        INSERT INTO cell_private.cell_change (cell_no, v, kind, key)
        VALUES (home.cell_no, home.version, 'listener', v1_remove_listener.broker || '/' || v1_remove_listener.name);
        PERFORM cell_private.close_version(home.cell_no, home.version);
    END IF;
    RETURN home.version;
END
$$;

-- A random v4 whose base64url does not begin with '-': tools would take that for an option.
CREATE FUNCTION cell_private.new_topic_id() RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id uuid := gen_random_uuid();
BEGIN
    WHILE id::text ~ '^f[89ab]' LOOP
        id := gen_random_uuid();
    END LOOP;
    RETURN id;
END
$$;

-- The rows of __consumer_offsets: on every broker of the cell, leaders in turn.
CREATE FUNCTION cell_private.make_internal_topics(home cell_private.cell, owner integer, partitions integer) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id uuid := cell_private.new_topic_id();
BEGIN
    INSERT INTO cell_private.topic (cell_no, topic_id, instance_no, name, is_internal, configs)
    VALUES (home.cell_no, id, owner, '__consumer_offsets', true,
            '{"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"}');
    INSERT INTO cell_private.partition (cell_no, topic_id, partition, leader, replicas, isr)
    SELECT home.cell_no, id, p, p % home.broker_count, r.replicas, r.replicas
    FROM generate_series(0, partitions - 1) AS p,
         LATERAL (SELECT array_agg((p + i) % home.broker_count ORDER BY i) AS replicas
                  FROM generate_series(0, home.broker_count - 1) AS i) AS r;
    RETURN id;
END
$$;

CREATE FUNCTION cell_admin.v1_put_tenant(cell_id uuid, revision bigint, tenant jsonb)
RETURNS TABLE (instance_no int, version bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v1_put_tenant.cell_id);
    bounds jsonb := v1_put_tenant.tenant -> 'limits';
    known cell_private.tenant;
    wanted cell_private.tenant;
    internal_topic uuid;
BEGIN
    SELECT * INTO known FROM cell_private.tenant t
    WHERE t.cell_no = home.cell_no AND t.instance_id = (v1_put_tenant.tenant ->> 'instance')::uuid;
    IF known.revision > v1_put_tenant.revision THEN
        RETURN QUERY SELECT known.instance_no, home.version;
        RETURN;
    END IF;
    wanted := ROW(home.cell_no, coalesce(known.instance_no, home.next_instance_no),
                  v1_put_tenant.tenant ->> 'instance', v1_put_tenant.tenant ->> 'label', v1_put_tenant.revision,
                  v1_put_tenant.tenant ->> 'state', v1_put_tenant.tenant ->> 'internal_partitions',
                  v1_put_tenant.tenant ->> 'internal_visible', bounds ->> 'partitions',
                  bounds ->> 'produce_bytes_per_second', bounds ->> 'consume_bytes_per_second',
                  bounds ->> 'connections', bounds ->> 'groups', bounds ->> 'max_message_bytes',
                  bounds ->> 'retention_bytes_per_partition', bounds ->> 'storage_bytes',
                  nullif(v1_put_tenant.tenant -> 'topic_settings', 'null'), coalesce(known.partition_count, 0));
    IF known.instance_no IS NULL THEN
        IF cell_private.was_removed(home.cell_no, 'tenant', wanted.instance_id::text) THEN
            RAISE EXCEPTION 'instance % was removed from this cell', wanted.instance_id USING ERRCODE = 'MR004';
        END IF;
        INSERT INTO cell_private.tenant SELECT wanted.*;
        UPDATE cell_private.cell SET next_instance_no = home.next_instance_no + 1 WHERE cell_no = home.cell_no;
        internal_topic := cell_private.make_internal_topics(home, wanted.instance_no, wanted.internal_partitions);
    ELSE
        -- The number of internal partitions is for life: groups hash to them.
        wanted.internal_partitions := known.internal_partitions;
        UPDATE cell_private.tenant t
        SET label = wanted.label, revision = wanted.revision, state = wanted.state,
            internal_visible = wanted.internal_visible, partitions = wanted.partitions,
            produce_bytes_per_second = wanted.produce_bytes_per_second,
            consume_bytes_per_second = wanted.consume_bytes_per_second, connections = wanted.connections,
            groups = wanted.groups, max_message_bytes = wanted.max_message_bytes,
            retention_bytes_per_partition = wanted.retention_bytes_per_partition,
            storage_bytes = wanted.storage_bytes, topic_settings = wanted.topic_settings
        WHERE t.cell_no = home.cell_no AND t.instance_no = known.instance_no;
        known.revision := wanted.revision;
        IF known IS NOT DISTINCT FROM wanted THEN
            RETURN QUERY SELECT known.instance_no, home.version;
            RETURN;
        END IF;
    END IF;
    home.version := home.version + 1;
    INSERT INTO cell_private.cell_change (cell_no, v, kind, key, payload)
    SELECT o.cell_no, home.version, o.kind, o.key, o.payload FROM cell_private.tenant_object o
    WHERE o.cell_no = home.cell_no AND o.instance_no = wanted.instance_no;
    IF internal_topic IS NOT NULL THEN
        PERFORM cell_private.append_topics(home.cell_no, home.version, ARRAY[internal_topic]);
    END IF;
    PERFORM cell_private.close_version(home.cell_no, home.version);
    RETURN QUERY SELECT wanted.instance_no, home.version;
END
$$;

-- Credentials first, so that nobody is let in while the rest goes; all in one version.
CREATE FUNCTION cell_admin.v1_remove_tenant(cell_id uuid, instance uuid) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v1_remove_tenant.cell_id);
    gone integer;
BEGIN
    SELECT t.instance_no INTO gone FROM cell_private.tenant t
    WHERE t.cell_no = home.cell_no AND t.instance_id = v1_remove_tenant.instance;
    IF gone IS NULL THEN
        RETURN home.version;
    END IF;
    home.version := home.version + 1;
    INSERT INTO cell_private.cell_change (cell_no, v, kind, key)
    SELECT home.cell_no, home.version, x.kind, x.key
    FROM (SELECT 1 AS place, 'credential' AS kind, c.key_id AS key FROM cell_private.credential c
          WHERE c.cell_no = home.cell_no AND c.instance_no = gone
          UNION ALL
          SELECT 2, 'listener', l.broker_id || '/' || l.name FROM cell_private.listener l
          WHERE l.cell_no = home.cell_no AND l.instance_no = gone
          UNION ALL
          SELECT 3, 'topic', t.topic_id::text FROM cell_private.topic t
          WHERE t.cell_no = home.cell_no AND t.instance_no = gone
          UNION ALL
          SELECT 4, 'tenant', v1_remove_tenant.instance::text) AS x
    ORDER BY x.place, x.key;
    DELETE FROM cell_private.credential c WHERE c.cell_no = home.cell_no AND c.instance_no = gone;
    DELETE FROM cell_private.listener l WHERE l.cell_no = home.cell_no AND l.instance_no = gone;
    DELETE FROM cell_private.topic t WHERE t.cell_no = home.cell_no AND t.instance_no = gone;
    DELETE FROM cell_private.tenant t WHERE t.cell_no = home.cell_no AND t.instance_no = gone;
    PERFORM cell_private.close_version(home.cell_no, home.version);
    RETURN home.version;
END
$$;

CREATE FUNCTION cell_private.scram_from(verifier jsonb) RETURNS cell_private.scram
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN jsonb_typeof(verifier) = 'object' THEN
        ROW(decode(verifier ->> 'salt', 'base64'), (verifier ->> 'iterations')::integer,
            decode(verifier ->> 'stored_key', 'base64'), decode(verifier ->> 'server_key', 'base64'))::cell_private.scram
    END
$$;

CREATE FUNCTION cell_admin.v1_put_credential(cell_id uuid, revision bigint, credential jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v1_put_credential.cell_id);
    id text := v1_put_credential.credential ->> 'key_id';
    before text;
    after text;
BEGIN
    IF cell_private.was_removed(home.cell_no, 'credential', id) THEN
        RAISE EXCEPTION 'credential % was removed from this cell', id USING ERRCODE = 'MR004';
    END IF;
    SELECT o.payload INTO before FROM cell_private.credential_object o
    WHERE o.cell_no = home.cell_no AND o.key_id = id;
    INSERT INTO cell_private.credential AS c
        (cell_no, key_id, instance_no, revision, role, verifier, scram_sha_256, scram_sha_512)
    VALUES (home.cell_no, id, (v1_put_credential.credential ->> 'instance_no')::integer, v1_put_credential.revision,
            v1_put_credential.credential ->> 'role', decode(v1_put_credential.credential ->> 'verifier', 'hex'),
            cell_private.scram_from(v1_put_credential.credential -> 'scram_sha_256'),
            cell_private.scram_from(v1_put_credential.credential -> 'scram_sha_512'))
    ON CONFLICT (cell_no, key_id) DO UPDATE
    SET revision = excluded.revision, role = excluded.role, verifier = excluded.verifier,
        scram_sha_256 = excluded.scram_sha_256, scram_sha_512 = excluded.scram_sha_512
    WHERE c.revision <= excluded.revision AND c.instance_no = excluded.instance_no;
    SELECT o.payload INTO after FROM cell_private.credential_object o
    WHERE o.cell_no = home.cell_no AND o.key_id = id;
    IF before IS DISTINCT FROM after THEN
        home.version := home.version + 1;
        INSERT INTO cell_private.cell_change (cell_no, v, kind, key, payload)
        VALUES (home.cell_no, home.version, 'credential', id, after);
        PERFORM cell_private.close_version(home.cell_no, home.version);
    END IF;
    RETURN home.version;
END
$$;

CREATE FUNCTION cell_admin.v1_remove_credential(cell_id uuid, key_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v1_remove_credential.cell_id);
BEGIN
    DELETE FROM cell_private.credential c WHERE c.cell_no = home.cell_no AND c.key_id = v1_remove_credential.key_id;
    IF FOUND THEN
        home.version := home.version + 1;
        INSERT INTO cell_private.cell_change (cell_no, v, kind, key)
        VALUES (home.cell_no, home.version, 'credential', v1_remove_credential.key_id);
        PERFORM cell_private.close_version(home.cell_no, home.version);
    END IF;
    RETURN home.version;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_private, cell_admin FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell_admin TO millrace_provision;
