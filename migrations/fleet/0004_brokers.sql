-- SPDX-License-Identifier: Apache-2.0
-- Where brokers live. `provision` writes these rows before it starts anything: after a crash at any point the same
-- broker gets the same ports and the same directory. A port is given for the life of its broker, and is free again
-- when the row is gone.
CREATE TABLE fleet.broker (
    cell_id    uuid NOT NULL REFERENCES fleet.cell,
    broker_id  integer NOT NULL CHECK (broker_id BETWEEN 0 AND 2),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cell_id, broker_id)
);

CREATE TABLE fleet.port (
    port        integer PRIMARY KEY CHECK (port BETWEEN 1 AND 65535),
    cell_id     uuid NOT NULL,
    broker_id   integer NOT NULL,
    purpose     text NOT NULL CHECK (purpose IN ('sasl_ssl', 'metrics', 'plaintext', 'sasl_plaintext')),
    instance_id uuid REFERENCES fleet.instance,
    FOREIGN KEY (cell_id, broker_id) REFERENCES fleet.broker,
    -- Only listeners without TLS belong to one instance.
    CHECK ((purpose IN ('plaintext', 'sasl_plaintext')) = (instance_id IS NOT NULL))
);
CREATE UNIQUE INDEX port_of_broker ON fleet.port (cell_id, broker_id, purpose) WHERE instance_id IS NULL;
CREATE INDEX port_by_instance ON fleet.port (instance_id);

GRANT SELECT, INSERT, DELETE ON fleet.broker, fleet.port TO millrace_provision;

-- How full a cell is.
CREATE INDEX instance_by_cell ON fleet.instance (cell_id) WHERE phase <> 'removed';
