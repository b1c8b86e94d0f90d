-- SPDX-License-Identifier: Apache-2.0
-- Who is who in the database `cells`. Run by an administrator; everything after this file belongs to roles that
-- nobody can log in as.
--
--   millrace_cells_owner   owns tables and functions; every function runs as it (SECURITY DEFINER)
--   millrace_cells_roles   the offline role: the only one that may create roles, and only inside two fixed functions
--   millrace_broker        what every cell's role is a member of: EXECUTE on cell.v1_*, nothing else
--   millrace_provision     logs in as the reconciler: EXECUTE on cell_admin.v1_*, nothing else
--   millrace_cell_<hex>    one per cell, made by cell_admin.v1_create_cell: its brokers log in as it
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_cells_owner') THEN
        CREATE ROLE millrace_cells_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_cells_roles') THEN
        CREATE ROLE millrace_cells_roles NOLOGIN NOSUPERUSER NOCREATEDB CREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_broker') THEN
        CREATE ROLE millrace_broker NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_provision') THEN
        CREATE ROLE millrace_provision LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT 20;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO millrace_broker, millrace_provision', current_database());
END
$$;
ALTER ROLE millrace_provision SET lock_timeout = '5s';
ALTER ROLE millrace_provision SET idle_in_transaction_session_timeout = '30s';
GRANT millrace_broker TO millrace_cells_roles WITH ADMIN OPTION;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA cell_private AUTHORIZATION millrace_cells_owner;
CREATE SCHEMA cell AUTHORIZATION millrace_cells_owner;
CREATE SCHEMA cell_admin AUTHORIZATION millrace_cells_owner;
CREATE SCHEMA cell_roles AUTHORIZATION millrace_cells_roles;

-- No function of ours is ever anybody's by default; each file revokes by name as well.
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_cells_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_cells_roles REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA cell TO millrace_broker;
GRANT USAGE ON SCHEMA cell_admin TO millrace_provision;
GRANT USAGE ON SCHEMA cell_roles TO millrace_cells_owner;
