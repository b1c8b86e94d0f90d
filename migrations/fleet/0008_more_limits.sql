-- SPDX-License-Identifier: Apache-2.0
-- Rates that grow with the partitions of an instance, up to the limits that were there: 1 MB/s a partition and 20 MB/s
-- in all on Standard, 100 KB/s on Lite; and how many clients may be active. Instances that are there already get them
-- too: each is published again. The instance for development has no disk of its own, so it reserves none.
CREATE FUNCTION pg_temp.with_more_limits(plan_id text, limits jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE plan_id
        WHEN 'ibm.eventstreams.lite' THEN
            '{"produce_bytes_per_second_per_partition": 100000, "consume_bytes_per_second_per_partition": 100000,
              "clients": 5}'
        WHEN 'ibm.eventstreams.standard' THEN
            '{"produce_bytes_per_second_per_partition": 1000000, "consume_bytes_per_second_per_partition": 1000000,
              "clients": 500}'
        WHEN 'ibm.message.hub.enterprise.3nodes.2tb' THEN
            '{"produce_bytes_per_second_per_partition": -1, "consume_bytes_per_second_per_partition": -1,
              "clients": 10000}'
        ELSE
            '{"produce_bytes_per_second_per_partition": -1, "consume_bytes_per_second_per_partition": -1,
              "clients": -1}'
        END::jsonb || limits || CASE plan_id
        WHEN 'millrace.plaintext' THEN '{"storage_bytes": -1}' ELSE '{}' END::jsonb
$$;

UPDATE fleet.plan SET limits = pg_temp.with_more_limits(plan_id, limits);

-- One that is being made or changed is published by the operation under way, with its new revision.
WITH changed AS (
    UPDATE fleet.instance
    SET limits = pg_temp.with_more_limits(plan_id, limits), revision = revision + 1,
        phase = CASE phase WHEN 'ready' THEN 'updating' ELSE phase END
    WHERE phase IN ('creating', 'ready', 'updating')
    RETURNING instance_id, revision)
INSERT INTO fleet.operation (instance_id, type, is_async, state, revision, description, request_id, created_by)
SELECT c.instance_id, 'update', true, 'in progress', c.revision, 'Update in progress', 'migration-0008', 'migration'
FROM changed c
WHERE NOT EXISTS (SELECT FROM fleet.operation o WHERE o.instance_id = c.instance_id AND o.state = 'in progress');
