-- SPDX-License-Identifier: Apache-2.0
-- Who works on what. Any number of `provision` replicas share the work: a replica claims a cell, an instance or a credential
-- (FOR UPDATE SKIP LOCKED), works on it step by step while its lease lasts, and lets go. A lease that has run out may be
-- claimed by another; each claim raises `lease_epoch`, and every write of a worker names the epoch that it claimed
-- with, in its own WHERE. A worker that was frozen, or cut off, writes nothing after that.
--
-- The row of an operation tells how its work stands: which step was begun last, how many claims it took, by whom, and the
-- last error. It is kept: the operations of an instance are its history.
ALTER TABLE fleet.cell
    ADD COLUMN lease_owner text NOT NULL DEFAULT '',
    ADD COLUMN lease_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE fleet.instance
    ADD COLUMN lease_owner text NOT NULL DEFAULT '',
    ADD COLUMN lease_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE fleet.credential
    ADD COLUMN lease_owner text NOT NULL DEFAULT '',
    ADD COLUMN lease_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE fleet.operation
    ADD COLUMN step        text NOT NULL DEFAULT '',
    ADD COLUMN attempts    integer NOT NULL DEFAULT 0,
    ADD COLUMN lease_owner text NOT NULL DEFAULT '',
    ADD COLUMN lease_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN error       text NOT NULL DEFAULT '',
    ADD COLUMN finished_at timestamptz;

GRANT UPDATE (lease_owner, lease_epoch, lease_until) ON fleet.instance, fleet.credential TO millrace_provision;
GRANT UPDATE (step, attempts, lease_owner, lease_epoch, error, finished_at) ON fleet.operation TO millrace_provision;
GRANT UPDATE (finished_at) ON fleet.operation TO millrace_serve;
