/* SPDX-License-Identifier: Apache-2.0 */
/* One function a Kafka API, one file a function; api_table.c puts them into the table that dispatch reads.
 *
 * Each takes a request whose header was read, whose version is one that we speak, and whose session is
 * logged in (but for the three that log in). It reads request->body and answers exactly once, now or
 * later, on the request's loop: dataplane/dispatch/request.h has the rules. */
#ifndef DATAPLANE_HANDLERS_HANDLERS_H
#define DATAPLANE_HANDLERS_HANDLERS_H

struct request;

/* Who are you, and what do you speak. */
void handle_api_versions(struct request *request);
void handle_sasl_handshake(struct request *request);
void handle_sasl_authenticate(struct request *request);

/* What there is. */
void handle_metadata(struct request *request);
void handle_describe_cluster(struct request *request);
void handle_describe_topic_partitions(struct request *request);
void handle_describe_configs(struct request *request);

/* Changes of topics. */
void handle_create_topics(struct request *request);
void handle_delete_topics(struct request *request);
void handle_create_partitions(struct request *request);
void handle_incremental_alter_configs(struct request *request);
void handle_alter_configs(struct request *request);

/* Records. */
void handle_produce(struct request *request);
void handle_fetch(struct request *request);
void handle_list_offsets(struct request *request);
void handle_offset_for_leader_epoch(struct request *request);
void handle_delete_records(struct request *request);
void handle_init_producer_id(struct request *request);

/* Groups. */
void handle_find_coordinator(struct request *request);
void handle_join_group(struct request *request);
void handle_sync_group(struct request *request);
void handle_heartbeat(struct request *request);
void handle_leave_group(struct request *request);
void handle_offset_commit(struct request *request);
void handle_offset_fetch(struct request *request);
void handle_offset_delete(struct request *request);
void handle_describe_groups(struct request *request);
void handle_list_groups(struct request *request);
void handle_delete_groups(struct request *request);

#endif
