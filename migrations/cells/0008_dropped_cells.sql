-- SPDX-License-Identifier: Apache-2.0
-- A dropped cell does not come back. Cells have random ids and are dropped for good, so a create after a drop is the
-- repetition of a worker that was overtaken: it is refused (SQLSTATE MR004) and makes neither row nor role.
SET LOCAL ROLE millrace_cells_owner;

CREATE TABLE cell_private.dropped_cell (
    cell_id    uuid PRIMARY KEY,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE cell_private.dropped_cell ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY admin ON cell_private.dropped_cell USING ((SELECT cell_private.is_admin()));

-- The lock makes a create and a drop of one cell take turns, also when there is no row yet to lock.
CREATE FUNCTION cell_private.lock_cell_id(wanted uuid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_advisory_xact_lock(hashtextextended(wanted::text, 1835823715)) $$;

CREATE FUNCTION cell_admin.v2_create_cell(cell_id uuid, kind text, broker_count int, role_password text)
RETURNS TABLE (cell_no int, role_name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM cell_private.lock_cell_id(v2_create_cell.cell_id);
    IF EXISTS (SELECT FROM cell_private.dropped_cell d WHERE d.cell_id = v2_create_cell.cell_id) THEN
        RAISE EXCEPTION 'cell % was dropped', v2_create_cell.cell_id USING ERRCODE = 'MR004';
    END IF;
    RETURN QUERY SELECT * FROM cell_admin.v1_create_cell(v2_create_cell.cell_id, v2_create_cell.kind,
                                                         v2_create_cell.broker_count, v2_create_cell.role_password);
END
$$;

CREATE FUNCTION cell_admin.v2_drop_cell(cell_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM cell_private.lock_cell_id(v2_drop_cell.cell_id);
    INSERT INTO cell_private.dropped_cell (cell_id) VALUES (v2_drop_cell.cell_id)
    ON CONFLICT ON CONSTRAINT dropped_cell_pkey DO NOTHING;
    PERFORM cell_admin.v1_drop_cell(v2_drop_cell.cell_id);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cell_private, cell_admin FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cell_admin TO millrace_provision;
