-- SPDX-License-Identifier: Apache-2.0
-- The two database roles of the control plane and what each may do. They get their passwords from the operator
-- (`ALTER ROLE … PASSWORD`, done by `millrace-controlplane migrate` from password files); until then nobody can log in as
-- them. Neither may create roles or tables. Nobody may change an audit row.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_serve') THEN
        CREATE ROLE millrace_serve LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT 100;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_provision') THEN
        CREATE ROLE millrace_provision LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT 20;
    END IF;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA fleet TO millrace_serve, millrace_provision;

-- serve: reads what it shows, writes what is desired.
GRANT SELECT ON fleet.account, fleet.resource_group, fleet.account_key, fleet.plan, fleet.instance, fleet.operation,
    fleet.credential TO millrace_serve;
GRANT SELECT, INSERT ON fleet.signing_key TO millrace_serve;
GRANT INSERT ON fleet.audit_event, fleet.instance, fleet.operation, fleet.credential TO millrace_serve;
GRANT UPDATE (name, plan_id, revision, limits, topic_settings, internal_partitions, internal_visible, parameters,
    onetime_credentials, allow_cleanup, locked, plan_history, phase, updated_at, updated_by, deleted_at, deleted_by)
    ON fleet.instance TO millrace_serve;
GRANT UPDATE (is_async, state, description, reason_code, updated_at) ON fleet.operation TO millrace_serve;
GRANT UPDATE (name, revision, state, updated_at, updated_by, deleted_at, deleted_by) ON fleet.credential TO millrace_serve;

-- provision: reads what is desired, writes what it observed; places instances in cells.
GRANT SELECT ON fleet.plan, fleet.instance, fleet.operation, fleet.credential TO millrace_provision;
GRANT SELECT, INSERT, UPDATE ON fleet.cell TO millrace_provision;
GRANT INSERT ON fleet.audit_event TO millrace_provision;
GRANT UPDATE (phase, cell_id, instance_no, published_revision, endpoints, updated_at, deleted_at)
    ON fleet.instance TO millrace_provision;
GRANT UPDATE (state, description, reason_code, updated_at) ON fleet.operation TO millrace_provision;
GRANT UPDATE (state, verifier, scram_sha_256, scram_sha_512, sealed_key, updated_at, deleted_at)
    ON fleet.credential TO millrace_provision;
