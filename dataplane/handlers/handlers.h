/* SPDX-License-Identifier: Apache-2.0 */
/* One function per Kafka API; each has a file of its own. On the connection's loop. */
#ifndef DATAPLANE_HANDLERS_HANDLERS_H
#define DATAPLANE_HANDLERS_HANDLERS_H

#include "dataplane/dispatch/request.h"

/* Every API that we serve, ascending by key; the end has handle NULL. ApiVersions is made from it. */
extern const struct api_handler served_apis[];

void handle_produce(struct request *request);
void handle_fetch(struct request *request);
void handle_list_offsets(struct request *request);
void handle_metadata(struct request *request);
void handle_offset_commit(struct request *request);
void handle_offset_fetch(struct request *request);
void handle_find_coordinator(struct request *request);
void handle_join_group(struct request *request);
void handle_heartbeat(struct request *request);
void handle_leave_group(struct request *request);
void handle_sync_group(struct request *request);
void handle_describe_groups(struct request *request);
void handle_list_groups(struct request *request);
void handle_sasl_handshake(struct request *request);
void handle_api_versions(struct request *request);
void handle_create_topics(struct request *request);
void handle_delete_topics(struct request *request);
void handle_delete_records(struct request *request);
void handle_init_producer_id(struct request *request);
void handle_offset_for_leader_epoch(struct request *request);
void handle_describe_configs(struct request *request);
void handle_alter_configs(struct request *request);
void handle_sasl_authenticate(struct request *request);
void handle_create_partitions(struct request *request);
void handle_delete_groups(struct request *request);
void handle_incremental_alter_configs(struct request *request);
void handle_offset_delete(struct request *request);
void handle_describe_cluster(struct request *request);
void handle_describe_topic_partitions(struct request *request);

#endif
