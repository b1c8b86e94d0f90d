-- SPDX-License-Identifier: Apache-2.0
-- What brokers ask for: topics, partitions, settings. The broker has validated and chosen; here the numbers are
-- compared and written, and the count limits hold in the same transaction, under the lock of the cell's row.
-- All functions: lock, repeat an earlier answer, decide topic by topic, append, close the version, keep the answer.
SET LOCAL ROLE millrace_cells_owner;

-- NULL = not asked before.
CREATE FUNCTION cell_private.earlier_answer(home integer, request jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT answer FROM cell_private.cell_request
    WHERE cell_no = home AND request_id = (request ->> 'request_id')::uuid
$$;

-- The tenant a request is for; NULL when it is not of this cell or suspended. Every topic of it is then `denied`.
CREATE FUNCTION cell_private.active_tenant(home integer, request jsonb) RETURNS cell_private.tenant
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM cell_private.tenant t
    WHERE t.cell_no = home AND t.instance_no = (request ->> 'instance_no')::integer AND t.state = 'active'
$$;

-- The topic, when it is this tenant's and clients may change it.
CREATE FUNCTION cell_private.topic_of(home integer, owner integer, wanted uuid) RETURNS cell_private.topic
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM cell_private.topic t WHERE t.cell_no = home AND t.topic_id = wanted AND t.instance_no = owner
$$;

CREATE FUNCTION cell_private.topic_answer(topic_id uuid, result text, current bigint, maximum bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('topic_id', topic_id, 'result', result, 'current', coalesce(current, 0),
                              'maximum', coalesce(maximum, -1))
$$;

-- Appends partitions first, first + 1, … as [[leader, [replicas]], …] says. A placement that is not one of this cell
-- is the broker's mistake and fails the request.
CREATE FUNCTION cell_private.add_partitions(home cell_private.cell, topic uuid, first integer, placement jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO cell_private.partition (cell_no, topic_id, partition, leader, replicas, isr)
    SELECT home.cell_no, topic, first + (p.place - 1)::integer, (p.chosen ->> 0)::integer, r.replicas, r.replicas
    FROM jsonb_array_elements(placement) WITH ORDINALITY AS p (chosen, place),
         LATERAL (SELECT array_agg(value::integer ORDER BY ordinality) AS replicas
                  FROM jsonb_array_elements_text(p.chosen -> 1) WITH ORDINALITY) AS r;
    IF EXISTS (SELECT FROM cell_private.partition p, unnest(p.replicas) AS broker
               WHERE p.cell_no = home.cell_no AND p.topic_id = topic AND p.partition >= first
               GROUP BY p.partition
               HAVING count(DISTINCT broker) <> count(broker) OR min(broker) < 0
                   OR max(broker) >= home.broker_count) THEN
        RAISE EXCEPTION 'replicas of topic % are not distinct brokers of this cell', topic USING ERRCODE = '22023';
    END IF;
END
$$;

-- One change row per topic, as it is now; topics that are gone give a null payload.
CREATE FUNCTION cell_private.append_topics(home integer, changed bigint, topics uuid[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO cell_private.cell_change (cell_no, v, kind, key, payload)
    SELECT home, changed, 'topic', wanted.topic_id::text, o.payload
    FROM unnest(topics) WITH ORDINALITY AS wanted (topic_id, place)
    LEFT JOIN cell_private.topic_object o ON o.cell_no = home AND o.topic_id = wanted.topic_id
    ORDER BY wanted.place
$$;

-- The end of every request: what changed becomes one version, and the answer is kept for a repetition.
CREATE FUNCTION cell_private.answer_request(home cell_private.cell, request jsonb, changed uuid[], topics jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reply jsonb;
BEGIN
    IF cardinality(changed) > 0 THEN
        home.version := home.version + 1;
        PERFORM cell_private.append_topics(home.cell_no, home.version, changed);
        PERFORM cell_private.close_version(home.cell_no, home.version);
    END IF;
    reply := jsonb_build_object('version', home.version, 'topics', topics);
    DELETE FROM cell_private.cell_request
    WHERE cell_no = home.cell_no AND created_at < clock_timestamp() - interval '1 hour';
    INSERT INTO cell_private.cell_request (cell_no, request_id, answer)
    VALUES (home.cell_no, (request ->> 'request_id')::uuid, reply);
    RETURN reply;
END
$$;

CREATE FUNCTION cell.v1_create_topics(request jsonb) RETURNS jsonb
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
BEGIN
    IF answers IS NOT NULL THEN
        RETURN answers;
    END IF;
    answers := '[]';
    FOR asked IN SELECT value FROM jsonb_array_elements(request -> 'topics') LOOP
        id := (asked ->> 'topic_id')::uuid;
        is_internal := coalesce((asked ->> 'internal')::boolean, false);
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
        ELSIF jsonb_array_length(asked -> 'partitions') < 1 THEN
            RAISE EXCEPTION 'topic % has no partitions', id USING ERRCODE = '22023';
        ELSE
            result := 'ok';
            INSERT INTO cell_private.topic (cell_no, topic_id, instance_no, name, is_internal, configs)
            VALUES (home.cell_no, id, owner.instance_no, asked ->> 'name', is_internal,
                    coalesce(asked -> 'configs', '{}'));
            PERFORM cell_private.add_partitions(home, id, 0, asked -> 'partitions');
            owner.partition_count := owner.partition_count + added;
            changed := changed || id;
        END IF;
        answers := answers || cell_private.topic_answer(id, result, owner.partition_count, owner.partitions);
    END LOOP;
    UPDATE cell_private.tenant SET partition_count = owner.partition_count
    WHERE cell_no = home.cell_no AND instance_no = owner.instance_no AND partition_count <> owner.partition_count;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

CREATE FUNCTION cell.v1_delete_topics(request jsonb) RETURNS jsonb
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
    removed bigint;
    result text;
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
            result := 'ok';
            SELECT count(*) INTO removed FROM cell_private.partition p
            WHERE p.cell_no = home.cell_no AND p.topic_id = id;
            DELETE FROM cell_private.topic t WHERE t.cell_no = home.cell_no AND t.topic_id = id;
            owner.partition_count := owner.partition_count - removed;
            changed := changed || id;
        END IF;
        answers := answers || cell_private.topic_answer(id, result, owner.partition_count, owner.partitions);
    END LOOP;
    UPDATE cell_private.tenant SET partition_count = owner.partition_count
    WHERE cell_no = home.cell_no AND instance_no = owner.instance_no AND partition_count <> owner.partition_count;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

-- `conflict`: the topic does not have the expected number of partitions; `current` is then the topic's own.
CREATE FUNCTION cell.v1_create_partitions(request jsonb) RETURNS jsonb
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
BEGIN
    IF answers IS NOT NULL THEN
        RETURN answers;
    END IF;
    answers := '[]';
    FOR asked IN SELECT value FROM jsonb_array_elements(request -> 'topics') LOOP
        id := (asked ->> 'topic_id')::uuid;
        added := jsonb_array_length(asked -> 'add');
        topic := cell_private.topic_of(home.cell_no, owner.instance_no, id);
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
        ELSIF added < 1 THEN
            RAISE EXCEPTION 'no partitions to add to topic %', id USING ERRCODE = '22023';
        ELSE
            result := 'ok';
            PERFORM cell_private.add_partitions(home, id, present::integer, asked -> 'add');
            owner.partition_count := owner.partition_count + added;
            changed := changed || id;
        END IF;
        answers := answers || cell_private.topic_answer(
            id, result, CASE result WHEN 'conflict' THEN present ELSE owner.partition_count END, owner.partitions);
    END LOOP;
    UPDATE cell_private.tenant SET partition_count = owner.partition_count
    WHERE cell_no = home.cell_no AND instance_no = owner.instance_no AND partition_count <> owner.partition_count;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

-- Settings that stay as they are make no version.
CREATE FUNCTION cell.v1_alter_configs(request jsonb) RETURNS jsonb
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
            result := 'ok';
            wanted := (topic.configs - ARRAY(SELECT jsonb_array_elements_text(coalesce(asked -> 'delete', '[]'))))
                      || coalesce(asked -> 'set', '{}');
            IF wanted <> topic.configs THEN
                UPDATE cell_private.topic t SET configs = wanted WHERE t.cell_no = home.cell_no AND t.topic_id = id;
                changed := changed || id;
            END IF;
        END IF;
        answers := answers || cell_private.topic_answer(id, result, owner.partition_count, owner.partitions);
    END LOOP;
    RETURN cell_private.answer_request(home, request, changed, answers);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_private, cell FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell TO millrace_broker;
