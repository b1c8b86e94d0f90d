/* SPDX-License-Identifier: Apache-2.0 */
/* What a role of an instance may do with Kafka. Reader ⊂ Writer ⊂ Manager; a key of role NONE may not even
 * log in. Roles cover the whole instance: the name of a topic or group plays no part, so a refusal says
 * nothing about whether it exists. service.md 3.2. Pure. */
#ifndef DATAPLANE_AUTH_AUTHORIZER_H
#define DATAPLANE_AUTH_AUTHORIZER_H

#include "dataplane/cluster/image_records.h"

enum access {
    ACCESS_READ,          /* describe, fetch, join groups, commit, idempotent producer ids */
    ACCESS_WRITE,         /* produce */
    ACCESS_MANAGE_TOPICS, /* create, grow, alter, delete; delete records */
    ACCESS_MANAGE_GROUPS  /* delete groups and their offsets */
};

bool authorizer_allows(enum image_role role, enum access access);

/* "Authorized operations" as Kafka writes them: bit n is operation n of its access control lists. */
enum authorized_resource { AUTHORIZED_TOPIC, AUTHORIZED_GROUP, AUTHORIZED_CLUSTER };
int32_t authorizer_operations(enum image_role role, enum authorized_resource resource);

#endif
