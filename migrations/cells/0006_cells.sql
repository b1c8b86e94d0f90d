-- SPDX-License-Identifier: Apache-2.0
-- Cells come and go: the row, and the database role its brokers log in as. Creating roles is a power that neither
-- serve nor provision holds: it sits in two functions owned by an offline role, which make and drop roles of one
-- fixed shape and name. The password may be (and from provision is) a SCRAM verifier, so that no secret is in a
-- statement that the database could log.
SET LOCAL ROLE millrace_cells_roles;

CREATE FUNCTION cell_roles.make(cell_id uuid, broker_count int, role_password text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text := 'millrace_cell_' || replace(cell_id::text, '-', '');
    attributes text := format('LOGIN CONNECTION LIMIT %s PASSWORD %L', 8 * broker_count, role_password);
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
        EXECUTE format('ALTER ROLE %I %s', name, attributes);
        RETURN name;
    END IF;
    EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE IN ROLE millrace_broker %s', name, attributes);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = ''15s''', name);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = ''5s''', name);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''10s''', name);
    RETURN name;
END
$$;

CREATE FUNCTION cell_roles.remove(cell_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('DROP ROLE IF EXISTS %I', 'millrace_cell_' || replace(cell_id::text, '-', ''));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_roles FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell_roles TO millrace_cells_owner;

SET LOCAL ROLE millrace_cells_owner;

-- Again with the same id: the same answer, the password set anew. A cell of one has no leases.
CREATE FUNCTION cell_admin.v1_create_cell(cell_id uuid, kind text, broker_count int, role_password text)
RETURNS TABLE (cell_no int, role_name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    name text;
    known cell_private.cell;
BEGIN
    IF octet_length(v1_create_cell.role_password) < 16 THEN
        RAISE EXCEPTION 'the password of a cell has at least 16 bytes' USING ERRCODE = '22023';
    END IF;
    name := cell_roles.make(v1_create_cell.cell_id, v1_create_cell.broker_count, v1_create_cell.role_password);
    INSERT INTO cell_private.cell (cell_id, kind, broker_count, role_name, lease_ms)
    VALUES (v1_create_cell.cell_id, v1_create_cell.kind, v1_create_cell.broker_count, name,
            CASE v1_create_cell.broker_count WHEN 1 THEN 0 ELSE 3000 END)
    ON CONFLICT (cell_id) DO NOTHING;
    SELECT * INTO known FROM cell_private.cell c WHERE c.cell_id = v1_create_cell.cell_id;
    IF known.kind <> v1_create_cell.kind OR known.broker_count <> v1_create_cell.broker_count THEN
        RAISE EXCEPTION 'cell % exists as % with % brokers', known.cell_id, known.kind, known.broker_count
            USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT known.cell_no, known.role_name;
END
$$;

-- Of a cell without instances. Gone already: nothing to do.
CREATE FUNCTION cell_admin.v1_drop_cell(cell_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home integer;
BEGIN
    SELECT c.cell_no INTO home FROM cell_private.cell c WHERE c.cell_id = v1_drop_cell.cell_id FOR UPDATE;
    IF home IS NOT NULL THEN
        DELETE FROM cell_private.listener WHERE cell_no = home AND instance_no IS NULL;
        DELETE FROM cell_private.cell_change WHERE cell_no = home;
        DELETE FROM cell_private.cell_request WHERE cell_no = home;
        DELETE FROM cell_private.broker_lease WHERE cell_no = home;
        DELETE FROM cell_private.broker WHERE cell_no = home;
        DELETE FROM cell_private.data_directory WHERE cell_no = home;
        -- A tenant that is left refuses this with a foreign key violation.
        DELETE FROM cell_private.cell WHERE cell_no = home;
    END IF;
    PERFORM cell_roles.remove(v1_drop_cell.cell_id);
END
$$;

-- What a publisher waits for: one row per registered broker. A broker of a cell of one holds its "lease" when it was
-- seen within three seconds.
CREATE FUNCTION cell_admin.v1_status(cell_id uuid)
RETURNS TABLE (broker_id int, epoch bigint, acknowledged_version bigint, has_lease boolean, last_seen timestamptz,
               version bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT b.broker_id, b.epoch, l.acknowledged_version,
           CASE WHEN c.lease_ms = 0 THEN l.last_seen > clock_timestamp() - interval '3 seconds'
                ELSE l.lease_until > clock_timestamp() END,
           l.last_seen, c.version
    FROM cell_private.cell c
    JOIN cell_private.broker b ON b.cell_no = c.cell_no
    JOIN cell_private.broker_lease l ON l.cell_no = b.cell_no AND l.broker_id = b.broker_id
    WHERE c.cell_id = v1_status.cell_id
    ORDER BY b.broker_id;
END
$$;

CREATE FUNCTION cell_admin.v1_notify(cell_id uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_notify('cell_' || c.cell_no, '') FROM cell_private.cell c WHERE c.cell_id = $1
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_admin FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell_admin TO millrace_provision;
