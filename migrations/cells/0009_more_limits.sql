-- SPDX-License-Identifier: Apache-2.0
-- More limits of an instance: rates that grow with its partitions, active clients, and the disk that its topics reserve.
--
-- The new columns are nullable, and null is no bound, because functions of version 1 know nothing of them and stay for
-- two releases. Reserved disk counts for instances with storage of their own (storage_bytes >= 0): the sum over all
-- partitions, one replica, internal topics left out, may reach 90 % of it; the rest is for internal topics and for
-- segments that wait for their removal.
SET LOCAL ROLE millrace_cells_owner;

ALTER TABLE cell_private.tenant
    ADD COLUMN produce_bytes_per_second_per_partition bigint CHECK (produce_bytes_per_second_per_partition >= -1),
    ADD COLUMN consume_bytes_per_second_per_partition bigint CHECK (consume_bytes_per_second_per_partition >= -1),
    ADD COLUMN clients bigint CHECK (clients >= -1);

CREATE OR REPLACE VIEW cell_private.tenant_object AS
SELECT cell_no, instance_no, 'tenant'::text AS kind, instance_id::text AS key,
       jsonb_build_object(
           'instance', instance_id, 'instance_no', instance_no, 'label', label, 'state', state,
           'internal_partitions', internal_partitions, 'internal_visible', internal_visible,
           'limits', jsonb_build_object(
               'partitions', partitions, 'produce_bytes_per_second', produce_bytes_per_second,
               'consume_bytes_per_second', consume_bytes_per_second,
               'produce_bytes_per_second_per_partition', coalesce(produce_bytes_per_second_per_partition, -1),
               'consume_bytes_per_second_per_partition', coalesce(consume_bytes_per_second_per_partition, -1),
               'connections', connections, 'clients', coalesce(clients, -1), 'groups', groups,
               'max_message_bytes', max_message_bytes,
               'retention_bytes_per_partition', retention_bytes_per_partition, 'storage_bytes', storage_bytes),
           'topic_settings', topic_settings)::text AS payload
FROM cell_private.tenant;

CREATE FUNCTION cell_admin.v2_put_tenant(cell_id uuid, revision bigint, tenant jsonb)
RETURNS TABLE (instance_no int, version bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_cell(v2_put_tenant.cell_id);
    bounds jsonb := v2_put_tenant.tenant -> 'limits';
    known cell_private.tenant;
    wanted cell_private.tenant;
    internal_topic uuid;
BEGIN
    SELECT * INTO known FROM cell_private.tenant t
    WHERE t.cell_no = home.cell_no AND t.instance_id = (v2_put_tenant.tenant ->> 'instance')::uuid;
    IF known.revision > v2_put_tenant.revision THEN
        RETURN QUERY SELECT known.instance_no, home.version;
        RETURN;
    END IF;
    wanted := ROW(home.cell_no, coalesce(known.instance_no, home.next_instance_no),
                  v2_put_tenant.tenant ->> 'instance', v2_put_tenant.tenant ->> 'label', v2_put_tenant.revision,
                  v2_put_tenant.tenant ->> 'state', v2_put_tenant.tenant ->> 'internal_partitions',
                  v2_put_tenant.tenant ->> 'internal_visible', bounds ->> 'partitions',
                  bounds ->> 'produce_bytes_per_second', bounds ->> 'consume_bytes_per_second',
                  bounds ->> 'connections', bounds ->> 'groups', bounds ->> 'max_message_bytes',
                  bounds ->> 'retention_bytes_per_partition', bounds ->> 'storage_bytes',
                  nullif(v2_put_tenant.tenant -> 'topic_settings', 'null'), coalesce(known.partition_count, 0),
                  bounds ->> 'produce_bytes_per_second_per_partition',
                  bounds ->> 'consume_bytes_per_second_per_partition', bounds ->> 'clients');
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
            storage_bytes = wanted.storage_bytes, topic_settings = wanted.topic_settings,
            produce_bytes_per_second_per_partition = wanted.produce_bytes_per_second_per_partition,
            consume_bytes_per_second_per_partition = wanted.consume_bytes_per_second_per_partition,
            clients = wanted.clients
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

-- A setting as a number; what is not set, or is no number, counts as the default that the broker resolves it to.
CREATE FUNCTION cell_private.number_of(configs jsonb, setting text, default_value numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN configs ->> setting ~ '^\s*[+-]?[0-9]{1,19}\s*$' THEN (configs ->> setting)::numeric
                ELSE default_value END
$$;

-- What one partition with these settings reserves. Without a bound on its bytes it reserves more than any disk has.
-- The broker says the same before it asks (dataplane/cluster/reserved_storage.c).
CREATE FUNCTION cell_private.reserved_bytes(configs jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN coalesce(configs ->> 'cleanup.policy', 'delete') ~ 'compact'
             AND coalesce(configs ->> 'cleanup.policy', 'delete') !~ 'delete' THEN 1073741824
        WHEN s.retention < 0 THEN 9223372036854775807
        ELSE least(9223372036854775807, s.retention + s.segment + 2 * s.index * (floor(s.retention / s.segment) + 1))
    END
    FROM (SELECT cell_private.number_of(configs, 'retention.bytes', 1073741824) AS retention,
                 cell_private.number_of(configs, 'segment.bytes', 536870912) AS segment,
                 cell_private.number_of(configs, 'segment.index.bytes', 10485760) AS index) AS s
$$;

-- How far the sum may go; -1 = no bound, and nothing is summed.
CREATE FUNCTION cell_private.reserved_bound(owner cell_private.tenant) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN owner.storage_bytes >= 0 THEN owner.storage_bytes / 10 * 9 ELSE -1 END $$;

CREATE FUNCTION cell_private.partitions_of(topic cell_private.topic) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM cell_private.partition p WHERE p.cell_no = topic.cell_no AND p.topic_id = topic.topic_id
$$;

CREATE FUNCTION cell_private.reserved_by(owner cell_private.tenant) RETURNS numeric
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN owner.storage_bytes >= 0 THEN (
        SELECT coalesce(sum(cell_private.partitions_of(t) * cell_private.reserved_bytes(t.configs)), 0)
        FROM cell_private.topic t
        WHERE t.cell_no = owner.cell_no AND t.instance_no = owner.instance_no AND NOT t.is_internal) ELSE 0 END
$$;

-- With `storage`, current and maximum are bytes: reserved now, and at most.
CREATE FUNCTION cell_private.storage_answer(id uuid, result text, owner cell_private.tenant, reserved numeric,
                                            bound bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN result = 'storage'
        THEN cell_private.topic_answer(id, result, least(reserved, 9223372036854775807)::bigint, bound)
        ELSE cell_private.topic_answer(id, result, owner.partition_count, owner.partitions) END
$$;

-- The functions of version 1, and reserved disk.
CREATE FUNCTION cell.v2_create_topics(request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home cell_private.cell := cell_private.lock_session_cell();
    owner cell_private.tenant := cell_private.active_tenant(home.cell_no, request);
    answers jsonb := cell_private.earlier_answer(home.cell_no, request);
    changed uuid[] := '{}';
    asked jsonb;
    id uuid;
    is_internal boolean;
    added bigint;
    result text;
    bound CONSTANT bigint := cell_private.reserved_bound(owner);
    reserved numeric := cell_private.reserved_by(owner);
    more numeric;
BEGIN
    IF answers IS NOT NULL THEN
        RETURN answers;
    END IF;
    answers := '[]';
    FOR asked IN SELECT value FROM jsonb_array_elements(request -> 'topics') LOOP
        id := (asked ->> 'topic_id')::uuid;
        is_internal := coalesce((asked ->> 'internal')::boolean, false);
        more := CASE WHEN is_internal THEN 0 ELSE jsonb_array_length(asked -> 'partitions')
                * cell_private.reserved_bytes(coalesce(asked -> 'configs', '{}')) END;
        added := CASE WHEN is_internal THEN 0 ELSE jsonb_array_length(asked -> 'partitions') END;
        IF owner.instance_no IS NULL THEN
            result := 'denied';
        ELSIF EXISTS (SELECT FROM cell_private.topic t WHERE t.cell_no = home.cell_no
                      AND t.instance_no = owner.instance_no AND t.name = asked ->> 'name') THEN
            result := 'exists';
        ELSIF EXISTS (SELECT FROM cell_private.topic t WHERE t.cell_no = home.cell_no AND t.topic_id = id)
              OR cell_private.was_removed(home.cell_no, 'topic', id::text) THEN
            result := 'conflict';
        ELSIF owner.partitions >= 0 AND owner.partition_count + added > owner.partitions THEN
            result := 'limit';
        ELSIF bound >= 0 AND more > 0 AND reserved + more > bound THEN
            result := 'storage';
        ELSIF jsonb_array_length(asked -> 'partitions') < 1 THEN
            RAISE EXCEPTION 'topic % has no partitions', id USING ERRCODE = '22023';
        ELSE
            result := 'ok';
            INSERT INTO cell_private.topic (cell_no, topic_id, instance_no, name, is_internal, configs)
            VALUES (home.cell_no, id, owner.instance_no, asked ->> 'name', is_internal,
                    coalesce(asked -> 'configs', '{}'));
            PERFORM cell_private.add_partitions(home, id, 0, asked -> 'partitions');
            owner.partition_count := owner.partition_count + added;
            reserved := reserved + more;
            changed := changed || id;
        END IF;
        answers := answers || cell_private.storage_answer(id, result, owner, reserved, bound);
    END LOOP;
    UPDATE cell_private.tenant SET partition_count = owner.partition_count
    WHERE cell_no = home.cell_no AND instance_no = owner.instance_no AND partition_count <> owner.partition_count;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

CREATE FUNCTION cell.v2_create_partitions(request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home cell_private.cell := cell_private.lock_session_cell();
    owner cell_private.tenant := cell_private.active_tenant(home.cell_no, request);
    answers jsonb := cell_private.earlier_answer(home.cell_no, request);
    changed uuid[] := '{}';
    asked jsonb;
    id uuid;
    topic cell_private.topic;
    present bigint;
    added bigint;
    result text;
    bound CONSTANT bigint := cell_private.reserved_bound(owner);
    reserved numeric := cell_private.reserved_by(owner);
    more numeric;
BEGIN
    IF answers IS NOT NULL THEN
        RETURN answers;
    END IF;
    answers := '[]';
    FOR asked IN SELECT value FROM jsonb_array_elements(request -> 'topics') LOOP
        id := (asked ->> 'topic_id')::uuid;
        added := jsonb_array_length(asked -> 'add');
        topic := cell_private.topic_of(home.cell_no, owner.instance_no, id);
        more := added * cell_private.reserved_bytes(topic.configs);
        SELECT count(*) INTO present FROM cell_private.partition p
        WHERE p.cell_no = home.cell_no AND p.topic_id = topic.topic_id;
        IF owner.instance_no IS NULL OR topic.is_internal THEN
            result := 'denied';
        ELSIF topic.topic_id IS NULL THEN
            result := 'not_found';
        ELSIF present <> (asked ->> 'expected')::bigint THEN
            result := 'conflict';
        ELSIF owner.partitions >= 0 AND owner.partition_count + added > owner.partitions THEN
            result := 'limit';
        ELSIF bound >= 0 AND more > 0 AND reserved + more > bound THEN
            result := 'storage';
        ELSIF added < 1 THEN
            RAISE EXCEPTION 'no partitions to add to topic %', id USING ERRCODE = '22023';
        ELSE
            result := 'ok';
            PERFORM cell_private.add_partitions(home, id, present::integer, asked -> 'add');
            owner.partition_count := owner.partition_count + added;
            reserved := reserved + more;
            changed := changed || id;
        END IF;
        answers := answers || CASE result
            WHEN 'conflict' THEN cell_private.topic_answer(id, result, present, owner.partitions)
            ELSE cell_private.storage_answer(id, result, owner, reserved, bound) END;
    END LOOP;
    UPDATE cell_private.tenant SET partition_count = owner.partition_count
    WHERE cell_no = home.cell_no AND instance_no = owner.instance_no AND partition_count <> owner.partition_count;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

CREATE FUNCTION cell.v2_alter_configs(request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home cell_private.cell := cell_private.lock_session_cell();
    owner cell_private.tenant := cell_private.active_tenant(home.cell_no, request);
    answers jsonb := cell_private.earlier_answer(home.cell_no, request);
    changed uuid[] := '{}';
    asked jsonb;
    id uuid;
    topic cell_private.topic;
    wanted jsonb;
    result text;
    bound CONSTANT bigint := cell_private.reserved_bound(owner);
    reserved numeric := cell_private.reserved_by(owner);
    more numeric;
BEGIN
    IF answers IS NOT NULL THEN
        RETURN answers;
    END IF;
    answers := '[]';
    FOR asked IN SELECT value FROM jsonb_array_elements(request -> 'topics') LOOP
        id := (asked ->> 'topic_id')::uuid;
        topic := cell_private.topic_of(home.cell_no, owner.instance_no, id);
        IF owner.instance_no IS NULL OR topic.is_internal THEN
            result := 'denied';
        ELSIF topic.topic_id IS NULL THEN
            result := 'not_found';
        ELSE
            wanted := (topic.configs - ARRAY(SELECT jsonb_array_elements_text(coalesce(asked -> 'delete', '[]'))))
                      || coalesce(asked -> 'set', '{}');
            more := cell_private.partitions_of(topic)
                    * (cell_private.reserved_bytes(wanted) - cell_private.reserved_bytes(topic.configs));
            IF bound >= 0 AND more > 0 AND reserved + more > bound THEN
                result := 'storage';
            ELSE
                result := 'ok';
                reserved := reserved + more;
            END IF;
            IF result = 'ok' AND wanted <> topic.configs THEN
                UPDATE cell_private.topic t SET configs = wanted WHERE t.cell_no = home.cell_no AND t.topic_id = id;
                changed := changed || id;
            END IF;
        END IF;
        answers := answers || cell_private.storage_answer(id, result, owner, reserved, bound);
    END LOOP;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_private, cell, cell_admin FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell TO millrace_broker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell_admin TO millrace_provision;
