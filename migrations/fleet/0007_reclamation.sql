-- SPDX-License-Identifier: Apache-2.0
-- Deleting on a plan with reclamation_hours is soft: the instance is suspended (brokers refuse its logins, its data and its
-- keys stay), and until its time is over it can be restored, or reclaimed at once.
--
--     ready, updating ──▶ retiring ──▶ retired ──▶ restoring ──▶ ready
--                                         └──────▶ deleting ──▶ removed
--
-- serve moves into retiring, restoring and deleting; provision out of retiring and restoring, and into deleting when the
-- time is over.
ALTER TABLE fleet.instance DROP CONSTRAINT instance_phase_check;
ALTER TABLE fleet.instance ADD CONSTRAINT instance_phase_check CHECK (phase IN
    ('creating', 'ready', 'updating', 'retiring', 'retired', 'restoring', 'deleting', 'removed', 'failed'));
ALTER TABLE fleet.instance
    ADD COLUMN reclaim_at  timestamptz,
    ADD COLUMN reclaim_by  text NOT NULL DEFAULT '',
    ADD COLUMN restored_at timestamptz,
    ADD COLUMN restored_by text NOT NULL DEFAULT '';
DROP INDEX fleet.instance_to_do;
CREATE INDEX instance_to_do ON fleet.instance (created_seq)
    WHERE phase IN ('creating', 'updating', 'retiring', 'restoring', 'deleting');
CREATE INDEX instance_to_reclaim ON fleet.instance (reclaim_at) WHERE phase = 'retired';

ALTER TABLE fleet.operation DROP CONSTRAINT operation_type_check;
ALTER TABLE fleet.operation ADD CONSTRAINT operation_type_check CHECK (type IN
    ('create', 'update', 'delete', 'lock', 'unlock', 'reclamation'));

-- One that is open is listed; a closed one is history.
CREATE TABLE fleet.reclamation (
    reclamation_id uuid PRIMARY KEY,
    created_seq    bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    instance_id    uuid NOT NULL REFERENCES fleet.instance,
    account_id     text NOT NULL REFERENCES fleet.account,
    state          text NOT NULL DEFAULT 'SCHEDULED' CHECK (state IN ('SCHEDULED', 'RESTORING', 'RECLAIMING')),
    target_time    timestamptz NOT NULL,
    comment        text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    created_by     text NOT NULL,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    updated_by     text NOT NULL DEFAULT '',
    closed_at      timestamptz
);
CREATE UNIQUE INDEX reclamation_open ON fleet.reclamation (instance_id) WHERE closed_at IS NULL;
CREATE INDEX reclamation_by_account ON fleet.reclamation (account_id, created_seq) WHERE closed_at IS NULL;

GRANT SELECT, INSERT ON fleet.reclamation TO millrace_serve;
GRANT UPDATE (state, comment, updated_at, updated_by) ON fleet.reclamation TO millrace_serve;
GRANT UPDATE (reclaim_at, reclaim_by, restored_at, restored_by) ON fleet.instance TO millrace_serve;
GRANT SELECT ON fleet.reclamation TO millrace_provision;
GRANT UPDATE (state, updated_at, closed_at) ON fleet.reclamation TO millrace_provision;
GRANT UPDATE (revision, reclaim_at, restored_at) ON fleet.instance TO millrace_provision;
GRANT INSERT ON fleet.operation TO millrace_provision;
