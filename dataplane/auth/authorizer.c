/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/auth/authorizer.h"

enum {
    OPERATION_READ = 1 << 3,
    OPERATION_WRITE = 1 << 4,
    OPERATION_CREATE = 1 << 5,
    OPERATION_DELETE = 1 << 6,
    OPERATION_ALTER = 1 << 7,
    OPERATION_DESCRIBE = 1 << 8,
    OPERATION_CLUSTER_ACTION = 1 << 9,
    OPERATION_DESCRIBE_CONFIGS = 1 << 10,
    OPERATION_ALTER_CONFIGS = 1 << 11,
    OPERATION_IDEMPOTENT_WRITE = 1 << 12
};

static const enum image_role least_roles[] = {
    [ACCESS_READ] = ROLE_READER,
    [ACCESS_WRITE] = ROLE_WRITER,
    [ACCESS_MANAGE_TOPICS] = ROLE_MANAGER,
    [ACCESS_MANAGE_GROUPS] = ROLE_MANAGER,
};

bool authorizer_allows(enum image_role role, enum access access)
{
    return role >= least_roles[access];
}

/* What each role has beyond the lesser one. */
static const int32_t operations[][ROLE_MANAGER + 1] = {
    [AUTHORIZED_TOPIC] = {[ROLE_READER] =
                              OPERATION_READ | OPERATION_DESCRIBE | OPERATION_DESCRIBE_CONFIGS,
                          [ROLE_WRITER] = OPERATION_WRITE,
                          [ROLE_MANAGER] = OPERATION_CREATE | OPERATION_DELETE | OPERATION_ALTER |
                                           OPERATION_ALTER_CONFIGS},
    [AUTHORIZED_GROUP] = {[ROLE_READER] =
                              OPERATION_READ | OPERATION_DESCRIBE | OPERATION_DESCRIBE_CONFIGS,
                          [ROLE_MANAGER] = OPERATION_DELETE | OPERATION_ALTER_CONFIGS},
    [AUTHORIZED_CLUSTER] = {[ROLE_READER] = OPERATION_DESCRIBE | OPERATION_DESCRIBE_CONFIGS |
                                            OPERATION_IDEMPOTENT_WRITE,
                            [ROLE_MANAGER] = OPERATION_CREATE | OPERATION_ALTER |
                                             OPERATION_CLUSTER_ACTION | OPERATION_ALTER_CONFIGS},
};

int32_t authorizer_operations(enum image_role role, enum authorized_resource resource)
{
    int32_t all = 0;

    for (int i = ROLE_READER; i <= (int)role; i++)
        all |= operations[resource][i];
    return all;
}
