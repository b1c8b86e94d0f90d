/* SPDX-License-Identifier: Apache-2.0 */
/* Small stored files of a log behind their checksum: offset index, producer snapshot, entries of the catalogue,
 * meta.json. A good one is changed and its CRC mended. */
#include "dataplane/storage/catalogue_internal.h"
#include "dataplane/storage/log_directory_internal.h"
#include "dataplane/storage/offset_index.h"
#include "dataplane/storage/producer_state.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/simulation/sim_disk.h"

#include <stdlib.h>

static const struct hash_seed seed = {1, 2};

static struct record_batch batch_at(int64_t offset, int sequence)
{
    return (struct record_batch){.base_offset = offset,
                                 .size_bytes = 70000,
                                 .last_offset_delta = 9,
                                 .base_timestamp = 1000,
                                 .max_timestamp = 1000 + offset,
                                 .producer_id = 40 + sequence % 3,
                                 .base_sequence = sequence * 10,
                                 .record_count = 10};
}

static void load_index(struct fuzz_input *input)
{
    struct offset_index index;
    struct record_batch batch;
    struct buffer file;

    buffer_init(&file, 1 << 16);
    offset_index_init(&index, 65536);
    for (int i = 0; i < 5; i++) {
        batch = batch_at(i * 10, i);
        offset_index_add(&index, &batch, i * 70000);
    }
    invariant(offset_index_save(&index, 0, &file) == ERR_OK);
    offset_index_done(&index);
    fuzz_patch(input, file.data, &file.len);
    fuzz_mend_crc(file.data, file.len);
    if (offset_index_load(&index, buffer_slice(&file), 0, 350000) == ERR_OK) {
        (void)offset_index_find_offset(&index, 25);
        (void)offset_index_find_timestamp(&index, 1020);
        offset_index_truncate(&index, 100000);
        offset_index_done(&index);
    }
    buffer_done(&file);
}

static void load_producers(struct fuzz_input *input)
{
    struct producer_state state;
    struct producer_batch known;
    struct record_batch batch;
    struct buffer file;
    int64_t offset = 0;

    buffer_init(&file, 1 << 16);
    producer_state_init(&state, seed);
    for (int i = 0; i < 9; i++) {
        batch = batch_at(i * 10, i);
        invariant(producer_state_append(&state, &batch, 1000, NULL) == ERR_OK);
    }
    invariant(producer_state_save(&state, 90, &file) == ERR_OK);
    producer_state_done(&state);
    fuzz_patch(input, file.data, &file.len);
    fuzz_mend_crc(file.data, file.len);
    producer_state_init(&state, seed);
    if (producer_state_load(&state, buffer_slice(&file), &offset) == ERR_OK) {
        batch = batch_at(90, 9);
        (void)producer_state_check(&state, &batch, &known);
        producer_state_expire(&state, INT64_MAX);
    }
    producer_state_done(&state);
    buffer_done(&file);
}

/* Entries are applied as a start applies them: what is in them is believed only as far as it is possible. */
static void apply_entries(struct fuzz_input *input)
{
    struct catalogue catalogue = {.registration = -1};

    hash_table_init(&catalogue.logs, seed);
    buffer_init(&catalogue.pending, 1 << 16);
    while (input->len > 0) {
        int type = fuzz_u8(input) % (ENTRY_OPENED + 2);

        (void)!catalogue_apply(&catalogue, type, fuzz_piece(input));
    }
    catalogue_forget_facts(&catalogue);
    buffer_done(&catalogue.pending);
}

static void load_meta(struct fuzz_input *input)
{
    struct directory_meta meta = {.directory_id = {{1}}, .cell_id = {{2}}, .broker_id = 3}, read;
    struct disk *disk = sim_disk_new(1, NULL);
    uint8_t *data = NULL;
    size_t len = 0;
    struct error error;

    invariant(directory_meta_save(disk, &meta) == ERR_OK);
    invariant(disk_read_file(disk, "meta.json", 4096, &data, &len) == ERR_OK);
    fuzz_patch(input, data, &len);
    invariant(disk_replace_file(disk, "", "meta.json", data, len) == ERR_OK);
    free(data);
    if (directory_meta_load(disk, &read, &error) != ERR_OK)
        invariant(error.message[0] != '\0');
    sim_disk_free(disk);
}

static void read_entries(struct fuzz_input *input)
{
    struct entry_view view;
    struct slice bytes = fuzz_rest(input);

    if (catalogue_read_entry(bytes, &view))
        invariant(view.size_bytes <= bytes.len && view.payload.len < view.size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    switch (fuzz_u8(&input) % 5) {
    case 0:
        load_index(&input);
        break;
    case 1:
        load_producers(&input);
        break;
    case 2:
        apply_entries(&input);
        break;
    case 3:
        load_meta(&input);
        break;
    default:
        read_entries(&input);
        break;
    }
    return 0;
}
