-- SPDX-License-Identifier: Apache-2.0
-- The instance for development has no bound on the size of a record batch but the topic's own max.message.bytes, whose default
-- stays: client libraries test themselves against such a listener, with topics of large messages.
UPDATE fleet.plan SET limits = limits || '{"max_message_bytes": -1}' WHERE plan_id = 'millrace.plaintext';
