/* SPDX-License-Identifier: Apache-2.0 */
/* Records of __consumer_offsets, as a coordinator finds them when it loads: pieces of the input are keys and
 * values, random or good ones with changes. Unknown and broken records are skipped; what was understood can be
 * shown. */
#include "dataplane/group/group_records.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/dataplane/group/group_rig.h"

struct good_record {
    struct buffer key;
    struct buffer value;
};

static void write_good(struct good_record *record, bool is_offset)
{
    struct writer writer;

    buffer_init(&record->key, 1 << 12);
    buffer_init(&record->value, 1 << 12);
    writer_init(&writer, &record->key);
    if (is_offset) {
        struct kafka_offset_commit_value offset;

        group_record_write_offset_key(&writer, SLICE_LITERAL("g"), SLICE_LITERAL("orders"), 1);
        kafka_offset_commit_value_init_defaults(&offset);
        offset.offset = 5;
        offset.metadata = SLICE_LITERAL("note");
        writer_init(&writer, &record->value);
        group_record_write_offset(&writer, &offset);
    } else {
        struct kafka_group_metadata_value group;

        group_record_write_metadata_key(&writer, SLICE_LITERAL("g"));
        kafka_group_metadata_value_init_defaults(&group);
        group.protocol_type = SLICE_LITERAL("consumer");
        group.generation = 3;
        writer_init(&writer, &record->value);
        group_record_write_metadata(&writer, &group);
    }
}

static void replay_good(struct group_shard *shard, struct fuzz_input *input, uint8_t form)
{
    struct good_record record;
    struct slice changes = fuzz_piece(input);
    struct fuzz_input patch = {changes.data, changes.len};

    write_good(&record, form & 2);
    if (form & 4)
        fuzz_patch(&patch, record.key.data, &record.key.len);
    else
        fuzz_patch(&patch, record.value.data, &record.value.len);
    (void)!group_shard_replay(shard, buffer_slice(&record.key),
                              form & 8 ? SLICE_NULL : buffer_slice(&record.value));
    buffer_done(&record.key);
    buffer_done(&record.value);
}

static void on_group(void *context, struct slice group_id, size_t members)
{
    (void)members;
    *(size_t *)context += group_id.len;
}

static void on_offset(void *context, struct slice group_id, struct slice topic, int32_t partition,
                      int64_t offset)
{
    (void)partition;
    (void)offset;
    *(size_t *)context += group_id.len + topic.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t seen = 0;
    struct group_visitor visitor = {&seen, on_group, on_offset};
    struct rig rig;

    rig_init(&rig);
    rig_begin(&rig);
    while (input.len > 0) {
        uint8_t form = fuzz_u8(&input);

        if (form & 1) {
            struct slice key = fuzz_piece(&input), value = fuzz_piece(&input);

            (void)!group_shard_replay(rig.shard, key, value);
        } else {
            replay_good(rig.shard, &input, form);
        }
    }
    group_shard_loaded(rig.shard, rig.time);
    rig_pump(&rig);
    group_shard_visit(rig.shard, &visitor);
    rig_advance(&rig, 8LL * 24 * 3600 * 1000);
    rig_done(&rig);
    return 0;
}
