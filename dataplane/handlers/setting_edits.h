/* SPDX-License-Identifier: Apache-2.0 */
/* What a change of a topic's settings comes to: from what was set, and what the client asks, to what the
 * store is told. Pure. IncrementalAlterConfigs edits; AlterConfigs replaces all that was set. */
#ifndef DATAPLANE_HANDLERS_SETTING_EDITS_H
#define DATAPLANE_HANDLERS_SETTING_EDITS_H

#include "dataplane/cluster/image_records.h"
#include "dataplane/handlers/setting_values.h"

/* As on the wire. */
enum setting_operation {
    SETTING_SET = 0,
    SETTING_DELETE = 1,
    SETTING_APPEND = 2,
    SETTING_SUBTRACT = 3
};

struct setting_edit {
    struct slice name;
    int8_t operation; /* as the client sent it */
    struct slice value;
};

struct setting_edits {
    const struct setting_edit *items;
    int32_t count;
    bool replaces; /* what is not named goes back to its default; operations are all SET */
};

struct setting_change {
    enum kafka_error error; /* NONE: the rest counts */
    const char *message;    /* with an error; in the arena or static; NULL when memory was short */
    const struct topic_override *set;
    size_t set_count;
    const struct topic_setting *const *remove;
    size_t remove_count;
    struct log_config config; /* the settings as they would be */
};

/* topic: as it is. Texts in ret_change are borrowed from the edits or lie in the arena. */
void setting_edits_decide(const struct setting_edits *edits, const struct image_topic *topic,
                          const struct topic_policy *policy, int32_t broker_count,
                          struct arena *arena, struct setting_change *ret_change);

#endif
