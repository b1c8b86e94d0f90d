/* SPDX-License-Identifier: Apache-2.0 */
/* What a cell has agreed on, one immutable record an object, shared by all loops.
 *
 * Loop 0 makes records from the store's JSON (migrations/README.md), validated whole: a payload
 * that breaks a rule makes no record. From then on they never change; a change of an object is a
 * new record. They are counted atomically: each loop's image holds one reference, whoever keeps a
 * record past the turn in which the image gave it takes another.
 *
 * The first member of each type is `record`, so that a `struct image_record *` of a known kind may
 * be turned into its type by image_as_tenant() and the like. */
#ifndef DATAPLANE_CLUSTER_IMAGE_RECORDS_H
#define DATAPLANE_CLUSTER_IMAGE_RECORDS_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"
#include "common/crypto/scram.h"
#include "common/crypto/service_key.h"
#include "dataplane/cluster/topic_settings.h"
#include "dataplane/quota/instance_usage.h"
#include "dataplane/storage/replica.h"

#include <stdatomic.h>

enum image_kind {
    IMAGE_TENANT,
    IMAGE_CREDENTIAL,
    IMAGE_TOPIC,
    IMAGE_LISTENER,
    IMAGE_BROKER,
    IMAGE_KIND_COUNT
};

#define IMAGE_MAX_REPLICAS 8
#define IMAGE_MAX_PARTITIONS 100000            /* of one topic */
#define IMAGE_MAX_PAYLOAD_BYTES (16 * 1048576) /* of one object, as JSON */
#define IMAGE_LABEL_MAX 63                     /* a DNS label */
#define IMAGE_HOST_MAX 255

struct image_record {
    enum image_kind kind;
    atomic_int reference_count;
    struct slice
        id; /* what it is found by in its kind: uuid bytes or text; points into the record */
    struct slice source; /* the JSON it was made from; owned; what the cached image holds */
};

/* All numbers: -1 = no bound. */
struct image_limits {
    int64_t partitions;
    int64_t produce_bytes_per_second;
    int64_t consume_bytes_per_second;
    /* Rates grow with the partitions that the instance has, up to the two above: tenant_rates.h. */
    int64_t produce_bytes_per_second_per_partition;
    int64_t consume_bytes_per_second_per_partition;
    int64_t connections;
    int64_t clients; /* active ones: client_count.h */
    int64_t groups;
    int64_t max_message_bytes;
    int64_t retention_bytes_per_partition;
    int64_t storage_bytes;
};

struct image_tenant {
    struct image_record record;
    struct uuid instance;
    int32_t instance_no;
    char label[IMAGE_LABEL_MAX + 1];      /* host label */
    char cluster_id[UUID_BASE64_LEN + 1]; /* what Kafka clients are told */
    bool is_active;                       /* false: suspended, no logins, no requests */
    bool is_internal_visible;             /* __consumer_offsets in Metadata, readable */
    int32_t internal_partitions;          /* of each internal topic */
    struct image_limits limits;
    struct topic_policy policy;   /* which topic settings it may set, and how far */
    struct instance_usage *usage; /* shared by all versions of this tenant */
};

/* As Event Streams names them; they map to rights in the authorizer. */
enum image_role { ROLE_NONE, ROLE_READER, ROLE_WRITER, ROLE_MANAGER };

struct image_credential {
    struct image_record record;
    char key_id[KEY_ID_LEN + 1];
    int32_t instance_no;
    enum image_role role;
    uint8_t verifier[KEY_VERIFIER_LEN];
    bool has_scram[2]; /* by enum scram_mechanism */
    struct scram_verifier scram[2];
};

struct image_partition {
    int32_t leader; /* broker id, -1 = none */
    int32_t leader_epoch;
    int32_t partition_epoch;
    uint8_t replica_count;
    uint8_t isr_count;
    int32_t replicas[IMAGE_MAX_REPLICAS];
    int32_t isr[IMAGE_MAX_REPLICAS];
};

struct image_topic {
    struct image_record record;
    struct uuid topic_id;
    int32_t instance_no;
    struct slice name; /* NUL-terminated as well */
    bool is_internal;
    int32_t min_insync_replicas;
    int32_t partition_count;
    struct image_partition *partitions;
    struct replica *
        *replicas; /* partition_count; NULL where this broker hosts none, or it is broken */
    size_t override_count;
    struct topic_override *overrides; /* what was set, in table order */
    struct log_config config;         /* all settings, resolved */
    char *texts;                      /* private: what name and overrides point into */
};

enum listener_security { LISTENER_SASL_SSL, LISTENER_SASL_PLAINTEXT, LISTENER_PLAINTEXT };

struct image_listener {
    struct image_record record;
    int32_t broker;
    char name[64];
    char host[IMAGE_HOST_MAX + 1]; /* advertised; may hold "{label}" */
    int port;
    enum listener_security security;
    int32_t instance_no;            /* PLAINTEXT: the instance of this port; 0 = none */
    int32_t auto_create_partitions; /* 0 = topics are not made by asking for them */
};

struct image_broker {
    struct image_record record;
    int32_t id;
    int64_t epoch;
    char rack[64];
    bool has_rack;
};

static inline const struct image_tenant *image_as_tenant(const struct image_record *record)
{
    return (const struct image_tenant *)(const void *)record;
}

static inline const struct image_credential *image_as_credential(const struct image_record *record)
{
    return (const struct image_credential *)(const void *)record;
}

static inline const struct image_topic *image_as_topic(const struct image_record *record)
{
    return (const struct image_topic *)(const void *)record;
}

static inline const struct image_listener *image_as_listener(const struct image_record *record)
{
    return (const struct image_listener *)(const void *)record;
}

static inline const struct image_broker *image_as_broker(const struct image_record *record)
{
    return (const struct image_broker *)(const void *)record;
}

/* Any thread. The record itself is immutable, the count is not: hence const. NULL is allowed. */
void image_record_ref(const struct image_record *record);
void image_record_unref(const struct image_record *record);

/* Writes the advertised host for a tenant: "{label}" replaced. ret_host holds IMAGE_HOST_MAX + 1.
 */
void image_listener_host(const struct image_listener *listener, const struct image_tenant *tenant,
                         char ret_host[IMAGE_HOST_MAX + 1]);

#endif
