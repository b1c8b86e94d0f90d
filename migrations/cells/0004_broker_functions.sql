-- SPDX-License-Identifier: Apache-2.0
-- What brokers call to follow their cell. The cell is that of session_user. SQLSTATE MR001: a snapshot is needed,
-- MR002: a newer incarnation of this broker is registered, MR003: the role is not a cell's.
SET LOCAL ROLE millrace_cells_owner;

-- The same incarnation again: the same answer and no change. Another one takes over, and the former is fenced for good.
CREATE FUNCTION cell.v1_register(broker_id int, incarnation uuid, directory uuid, clean boolean, software text)
RETURNS TABLE (cell_id uuid, cell_no int, broker_epoch bigint, producer_registration bigint, version bigint, lease_ms int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell := cell_private.lock_session_cell();
    known cell_private.broker;
    number integer;
BEGIN
    IF v1_register.broker_id NOT BETWEEN 0 AND home.broker_count - 1 THEN
        RAISE EXCEPTION 'broker % is not one of the % of this cell', v1_register.broker_id, home.broker_count
            USING ERRCODE = '22023';
    END IF;
    SELECT * INTO known FROM cell_private.broker b
    WHERE b.cell_no = home.cell_no AND b.broker_id = v1_register.broker_id;
    IF v1_register.incarnation = ANY (known.former) THEN
        RAISE EXCEPTION 'a newer incarnation of broker % is registered', v1_register.broker_id USING ERRCODE = 'MR002';
    END IF;

    INSERT INTO cell_private.data_directory AS d (directory, cell_no, broker_id, producer_registration)
    SELECT v1_register.directory, home.cell_no, v1_register.broker_id, nextval('cell_private.producer_registration')
    WHERE NOT EXISTS (SELECT FROM cell_private.data_directory e WHERE e.directory = v1_register.directory);
    SELECT d.producer_registration INTO number FROM cell_private.data_directory d
    WHERE d.directory = v1_register.directory AND d.cell_no = home.cell_no AND d.broker_id = v1_register.broker_id;
    IF number IS NULL THEN
        RAISE EXCEPTION 'data directory % belongs to another broker', v1_register.directory USING ERRCODE = '22023';
    END IF;

    IF known.incarnation IS DISTINCT FROM v1_register.incarnation THEN
        home.version := home.version + 1;
        INSERT INTO cell_private.broker AS b (cell_no, broker_id, incarnation, directory, epoch, is_clean, software)
        VALUES (home.cell_no, v1_register.broker_id, v1_register.incarnation, v1_register.directory, home.version,
                v1_register.clean, left(v1_register.software, 200))
        ON CONFLICT ON CONSTRAINT broker_pkey DO UPDATE
        SET former = (b.incarnation || b.former)[1:16], incarnation = excluded.incarnation,
            directory = excluded.directory, epoch = excluded.epoch, is_clean = excluded.is_clean,
            software = excluded.software, registered_at = clock_timestamp();
        INSERT INTO cell_private.cell_change (cell_no, v, kind, key, payload)
        SELECT o.cell_no, home.version, o.kind, o.key, o.payload FROM cell_private.broker_object o
        WHERE o.cell_no = home.cell_no AND o.broker_id = v1_register.broker_id;
        PERFORM cell_private.close_version(home.cell_no, home.version);
        known.epoch := home.version;
    END IF;

    INSERT INTO cell_private.broker_lease AS l
        (cell_no, broker_id, incarnation, lease_until, last_seen, acknowledged_version)
    VALUES (home.cell_no, v1_register.broker_id, v1_register.incarnation,
            clock_timestamp() + home.lease_ms * interval '1 millisecond', clock_timestamp(), 0)
    ON CONFLICT ON CONSTRAINT broker_lease_pkey DO UPDATE
    SET lease_until = excluded.lease_until, last_seen = excluded.last_seen, incarnation = excluded.incarnation,
        acknowledged_version = CASE WHEN l.incarnation = excluded.incarnation THEN l.acknowledged_version ELSE 0 END;

    RETURN QUERY SELECT home.cell_id, home.cell_no, known.epoch, number::bigint, home.version, home.lease_ms;
END
$$;

-- One statement, so one version. An empty cell gives one row with a null kind.
CREATE FUNCTION cell.v1_snapshot()
RETURNS TABLE (version bigint, kind text, key text, payload text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home integer := cell_private.require_session_cell();
BEGIN
    RETURN QUERY
    SELECT c.version, o.kind, o.key, o.payload
    FROM cell_private.cell c
    LEFT JOIN cell_private.object o ON o.cell_no = home
    WHERE c.cell_no = home
    ORDER BY o.place;
END
$$;

-- Whole versions after `after`, about max_changes rows; one version alone may be more. STABLE: all statements inside
-- see the snapshot of the call, so trimming cannot tear a hole between them.
CREATE FUNCTION cell.v1_changes(after bigint, max_changes int)
RETURNS TABLE (v bigint, kind text, key text, payload text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home cell_private.cell;
    cut bigint;
    last bigint;
BEGIN
    SELECT * INTO home FROM cell_private.cell c WHERE c.cell_no = cell_private.require_session_cell();
    IF v1_changes.after < home.floor_version OR v1_changes.after > home.version THEN
        RAISE EXCEPTION 'changes after version % are not kept; this cell has % to %', v1_changes.after,
            home.floor_version, home.version USING ERRCODE = 'MR001';
    END IF;
    IF v1_changes.after = home.version THEN
        RETURN;
    END IF;
    SELECT x.v INTO cut FROM cell_private.cell_change x
    WHERE x.cell_no = home.cell_no AND x.v > v1_changes.after
    ORDER BY x.v, x.seq OFFSET least(greatest(v1_changes.max_changes, 1), 1000) LIMIT 1;
    last := CASE WHEN cut IS NULL THEN home.version
                 WHEN cut > v1_changes.after + 1 THEN cut - 1
                 ELSE cut END;
    RETURN QUERY
    SELECT x.v, x.kind, x.key, x.payload FROM cell_private.cell_change x
    WHERE x.cell_no = home.cell_no AND x.v > v1_changes.after AND x.v <= last
    ORDER BY x.v, x.seq;
END
$$;

-- Asynchronous commit: lost with a crash of the database, so a broker acknowledges again after it connects again.
CREATE FUNCTION cell.v1_acknowledge(broker_id int, incarnation uuid, v bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home integer := cell_private.require_session_cell();
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE cell_private.broker_lease l
    SET acknowledged_version = greatest(l.acknowledged_version, least(v1_acknowledge.v, c.version)),
        last_seen = clock_timestamp()
    FROM cell_private.cell c
    WHERE c.cell_no = home AND l.cell_no = home AND l.broker_id = v1_acknowledge.broker_id
      AND l.incarnation = v1_acknowledge.incarnation;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'broker % is not registered as this incarnation', v1_acknowledge.broker_id
            USING ERRCODE = 'MR002';
    END IF;
END
$$;

CREATE FUNCTION cell.v1_renew_lease(broker_id int, incarnation uuid)
RETURNS TABLE (lease_ms int, version bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home integer := cell_private.require_session_cell();
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    UPDATE cell_private.broker_lease l
    SET lease_until = clock_timestamp() + c.lease_ms * interval '1 millisecond', last_seen = clock_timestamp()
    FROM cell_private.cell c
    WHERE c.cell_no = home AND l.cell_no = home AND l.broker_id = v1_renew_lease.broker_id
      AND l.incarnation = v1_renew_lease.incarnation
    RETURNING c.lease_ms, c.version;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'broker % is not registered as this incarnation', v1_renew_lease.broker_id
            USING ERRCODE = 'MR002';
    END IF;
END
$$;

-- In a transaction of its own: NOTIFY takes a lock of the whole database at commit.
CREATE FUNCTION cell.v1_notify() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('cell_' || cell_private.require_session_cell(), '');
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell TO millrace_broker;
