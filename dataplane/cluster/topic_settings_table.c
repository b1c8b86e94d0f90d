/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself: data only, in alphabetical order (a test checks that). Keys are Kafka's plus
 * millrace.flush; where our default is not Kafka's, Kafka's stands beside it. */
#include "dataplane/cluster/topic_settings_internal.h"

#include <limits.h>

static const char *const cleanup_policies[] = {"delete", "compact", NULL};
static const char *const compression_types[] = {"producer", "uncompressed", "gzip", "snappy",
                                                "lz4",      "zstd",         NULL};
static const char *const timestamp_types[] = {"CreateTime", "LogAppendTime", NULL};
static const char *const flush_policies[] = {"commit", "os", NULL};

/* The type bounds of a Java long and int are the bounds of what Kafka parses. */
const struct topic_setting topic_setting_table[TOPIC_SETTING_COUNT] = {
    [TOPIC_CLEANUP_POLICY] =
        {.name = "cleanup.policy",
         .type = SETTING_LIST,
         .default_value = "delete",
         .values = cleanup_policies,
         .broker_synonyms = {"log.cleanup.policy"},
         .documentation =
             "What happens to old records: delete removes segments past retention, compact keeps "
             "the last record of each key, compact,delete does both."},
    [TOPIC_COMPRESSION_GZIP_LEVEL] =
        {.name = "compression.gzip.level",
         .type = SETTING_INT,
         .default_value = "-1",
         .minimum = -1,
         .maximum = 9,
         .broker_synonyms = {"compression.gzip.level"},
         .documentation = "The gzip level when compression.type is gzip; -1 is zlib's default."},
    [TOPIC_COMPRESSION_LZ4_LEVEL] = {.name = "compression.lz4.level",
                                     .type = SETTING_INT,
                                     .default_value = "9",
                                     .minimum = 1,
                                     .maximum = 17,
                                     .broker_synonyms = {"compression.lz4.level"},
                                     .documentation =
                                         "The lz4 level when compression.type is lz4."},
    [TOPIC_COMPRESSION_TYPE] =
        {.name = "compression.type",
         .type = SETTING_STRING,
         .default_value = "producer",
         .values = compression_types,
         .broker_synonyms = {"compression.type"},
         .documentation = "How batches are stored: producer keeps them as they were sent, "
                          "uncompressed, gzip, snappy, lz4 and zstd store them so."},
    [TOPIC_COMPRESSION_ZSTD_LEVEL] = {.name = "compression.zstd.level",
                                      .type = SETTING_INT,
                                      .default_value = "3",
                                      .minimum = -131072,
                                      .maximum = 22,
                                      .broker_synonyms = {"compression.zstd.level"},
                                      .documentation =
                                          "The zstd level when compression.type is zstd."},
    [TOPIC_DELETE_RETENTION_MS] = {.name = "delete.retention.ms",
                                   .type = SETTING_LONG,
                                   .default_value = "86400000",
                                   .minimum = 0,
                                   .maximum = INT64_MAX,
                                   .broker_synonyms = {"log.cleaner.delete.retention.ms"},
                                   .documentation =
                                       "How long compaction keeps the tombstone of a deleted key."},
    [TOPIC_FILE_DELETE_DELAY_MS] =
        {.name = "file.delete.delay.ms",
         .type = SETTING_LONG,
         .default_value = "60000",
         .minimum = 0,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.segment.delete.delay.ms"},
         .documentation = "How long the files of a removed segment may stay on the disk; they go "
                          "sooner, when nobody reads them."},
    [TOPIC_FLUSH_MESSAGES] =
        {.name = "flush.messages",
         .type = SETTING_LONG,
         .default_value = "9223372036854775807",
         .minimum = 1,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.flush.interval.messages"},
         .documentation =
             "Records are flushed at least after this many; with millrace.flush=commit "
             "they are flushed before they are acknowledged in any case."},
    [TOPIC_FLUSH_MS] =
        {.name = "flush.ms",
         .type = SETTING_LONG,
         .default_value = "9223372036854775807",
         .minimum = 0,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.flush.interval.ms"},
         .documentation =
             "Records are flushed at least after this time; with millrace.flush=commit "
             "they are flushed before they are acknowledged in any case."},
    [TOPIC_FOLLOWER_THROTTLED_REPLICAS] =
        {.name = "follower.replication.throttled.replicas",
         .type = SETTING_LIST,
         .default_value = "",
         .is_fixed = true,
         .documentation = "Replicas whose catching up is throttled, as partition:broker."},
    [TOPIC_INDEX_INTERVAL_BYTES] =
        {.name = "index.interval.bytes",
         .type = SETTING_INT,
         .default_value = "4096",
         .minimum = 0,
         .maximum = INT32_MAX,
         .broker_synonyms = {"log.index.interval.bytes"},
         .documentation = "How many bytes of records lie between two entries of the index, at "
                          "least; they are never closer than 65536."},
    [TOPIC_LEADER_THROTTLED_REPLICAS] =
        {.name = "leader.replication.throttled.replicas",
         .type = SETTING_LIST,
         .default_value = "",
         .is_fixed = true,
         .documentation = "Replicas whose leader sends throttled, as partition:broker."},
    [TOPIC_LOCAL_RETENTION_BYTES] =
        {.name = "local.retention.bytes",
         .type = SETTING_LONG,
         .default_value = "-2",
         .minimum = -2,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.local.retention.bytes"},
         .documentation = "Bytes kept on the broker when segments are also kept remotely; -2 means "
                          "as retention.bytes says."},
    [TOPIC_LOCAL_RETENTION_MS] =
        {.name = "local.retention.ms",
         .type = SETTING_LONG,
         .default_value = "-2",
         .minimum = -2,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.local.retention.ms"},
         .documentation =
             "Time kept on the broker when segments are also kept remotely; -2 means as "
             "retention.ms says."},
    [TOPIC_MAX_COMPACTION_LAG_MS] =
        {.name = "max.compaction.lag.ms",
         .type = SETTING_LONG,
         .default_value = "9223372036854775807",
         .minimum = 1,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.cleaner.max.compaction.lag.ms"},
         .documentation = "After this time a record of a compacted topic must be compacted."},
    [TOPIC_MAX_MESSAGE_BYTES] =
        {.name = "max.message.bytes",
         .type = SETTING_INT,
         .default_value = "1048588",
         .minimum = 0,
         .maximum = INT32_MAX,
         .broker_synonyms = {"message.max.bytes"},
         .documentation = "The largest record batch that is taken, in bytes, as compressed."},
    [TOPIC_TIMESTAMP_AFTER_MAX_MS] =
        {.name = "message.timestamp.after.max.ms",
         .type = SETTING_LONG,
         .default_value = "3600000",
         .minimum = 0,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.message.timestamp.after.max.ms"},
         .documentation = "How far a record's timestamp may lie ahead of the broker's clock."},
    [TOPIC_TIMESTAMP_BEFORE_MAX_MS] =
        {.name = "message.timestamp.before.max.ms",
         .type = SETTING_LONG,
         .default_value = "9223372036854775807",
         .minimum = 0,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.message.timestamp.before.max.ms"},
         .documentation = "How far a record's timestamp may lie behind the broker's clock."},
    [TOPIC_TIMESTAMP_TYPE] =
        {.name = "message.timestamp.type",
         .type = SETTING_STRING,
         .default_value = "CreateTime",
         .values = timestamp_types,
         .broker_synonyms = {"log.message.timestamp.type"},
         .documentation = "Whether a record keeps the producer's time or gets the broker's."},
    [TOPIC_MILLRACE_FLUSH] =
        {.name = "millrace.flush",
         .type = SETTING_STRING,
         .default_value = "commit",
         .values = flush_policies,
         .documentation =
             "commit: a record is on the disk before it is acknowledged. os: it is "
             "acknowledged once the operating system has it; a crash of the machine may "
             "lose it."},
    [TOPIC_MIN_CLEANABLE_RATIO] =
        {.name = "min.cleanable.dirty.ratio",
         .type = SETTING_DOUBLE,
         .default_value = "0.5",
         .minimum = 0,
         .maximum = 1000,
         .broker_synonyms = {"log.cleaner.min.cleanable.ratio"},
         .documentation = "Share of not yet compacted bytes from which on a log is compacted."},
    [TOPIC_MIN_COMPACTION_LAG_MS] =
        {.name = "min.compaction.lag.ms",
         .type = SETTING_LONG,
         .default_value = "0",
         .minimum = 0,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.cleaner.min.compaction.lag.ms"},
         .documentation = "How long a record stays as it is before compaction may remove it."},
    [TOPIC_MIN_INSYNC_REPLICAS] =
        {.name = "min.insync.replicas",
         .type = SETTING_INT,
         .default_value = "1",
         .minimum = 1,
         .maximum = INT32_MAX,
         .broker_synonyms = {"min.insync.replicas"},
         .documentation = "How many replicas must have a record before acks=all is answered. The "
                          "default is 2, in a cell of one broker 1."},
    [TOPIC_PREALLOCATE] = {.name = "preallocate",
                           .type = SETTING_BOOLEAN,
                           .default_value = "false",
                           .broker_synonyms = {"log.preallocate"},
                           .documentation =
                               "Whether the file of a new segment is made at its full size."},
    [TOPIC_REMOTE_COPY_DISABLE] =
        {.name = "remote.log.copy.disable",
         .type = SETTING_BOOLEAN,
         .default_value = "false",
         .is_fixed = true,
         .documentation = "Whether segments of a remotely kept topic are copied no more."},
    [TOPIC_REMOTE_DELETE_ON_DISABLE] =
        {.name = "remote.log.delete.on.disable",
         .type = SETTING_BOOLEAN,
         .default_value = "false",
         .is_fixed = true,
         .documentation = "Whether remote segments go when remote storage is switched off."},
    [TOPIC_REMOTE_STORAGE_ENABLE] = {.name = "remote.storage.enable",
                                     .type = SETTING_BOOLEAN,
                                     .default_value = "false",
                                     .is_fixed = true,
                                     .documentation =
                                         "Whether old segments are kept remotely; not offered."},
    [TOPIC_RETENTION_BYTES] =
        {.name = "retention.bytes",
         .type = SETTING_LONG,
         .default_value = "1073741824",
         .kafka_default = "-1",
         .minimum = -1,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.retention.bytes"},
         .documentation = "Bytes of a partition from which on old segments are removed; -1 is no "
                          "bound."},
    [TOPIC_RETENTION_MS] = {.name = "retention.ms",
                            .type = SETTING_LONG,
                            .default_value = "86400000",
                            .kafka_default = "604800000",
                            .minimum = -1,
                            .maximum = INT64_MAX,
                            .broker_synonyms = {"log.retention.ms", "log.retention.minutes",
                                                "log.retention.hours"},
                            .documentation =
                                "Age from which on old segments are removed; -1 is for ever."},
    [TOPIC_SEGMENT_BYTES] = {.name = "segment.bytes",
                             .type = SETTING_INT,
                             .default_value = "536870912",
                             .kafka_default = "1073741824",
                             .minimum = 102400,
                             .maximum = INT32_MAX,
                             .broker_synonyms = {"log.segment.bytes"},
                             .documentation =
                                 "Size at which a partition starts a new segment file."},
    [TOPIC_SEGMENT_INDEX_BYTES] = {.name = "segment.index.bytes",
                                   .type = SETTING_INT,
                                   .default_value = "10485760",
                                   .minimum = 4,
                                   .maximum = INT32_MAX,
                                   .broker_synonyms = {"log.index.size.max.bytes"},
                                   .documentation = "The largest index of a segment, in bytes."},
    [TOPIC_SEGMENT_JITTER_MS] =
        {.name = "segment.jitter.ms",
         .type = SETTING_LONG,
         .default_value = "0",
         .minimum = 0,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.roll.jitter.ms", "log.roll.jitter.hours"},
         .documentation =
             "Random part taken off segment.ms, so that not all segments end at once."},
    [TOPIC_SEGMENT_MS] =
        {.name = "segment.ms",
         .type = SETTING_LONG,
         .default_value = "604800000",
         .minimum = 1,
         .maximum = INT64_MAX,
         .broker_synonyms = {"log.roll.ms", "log.roll.hours"},
         .documentation =
             "Age at which a partition starts a new segment file even if it is small."},
    [TOPIC_UNCLEAN_ELECTION] =
        {.name = "unclean.leader.election.enable",
         .type = SETTING_BOOLEAN,
         .default_value = "false",
         .broker_synonyms = {"unclean.leader.election.enable"},
         .is_fixed = true,
         .documentation = "Whether a replica that is not in sync may lead, losing records; the "
                          "service keeps it off."},
};
