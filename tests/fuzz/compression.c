/* SPDX-License-Identifier: Apache-2.0 */
/* The five codecs: random bytes, and good streams with changes. No output beyond the cap, and what was
 * compressed comes back when nothing was changed. */
#include "dataplane/storage/compression.h"

#include "tests/fuzz/fuzz_input.h"

enum { OUTPUT_MAX = 1 << 16, STREAM_MAX = 1 << 20 };

static enum err read_all(int codec, struct slice bytes, size_t room, struct buffer *out)
{
    struct decompressor *decompressor = NULL;
    enum err rc = decompressor_open(codec, bytes, OUTPUT_MAX, &decompressor);
    size_t got = 1;

    while (rc == ERR_OK && got > 0) {
        uint8_t window[4096];

        rc = decompressor_read(decompressor, window, room, &got);
        if (rc == ERR_OK)
            invariant(got <= room && buffer_append(out, window, got) == ERR_OK);
    }
    decompressor_close(decompressor);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    int codec = fuzz_u8(&input) % 6;
    uint8_t form = fuzz_u8(&input);
    size_t room = 1 + fuzz_u16(&input) % 4096;
    struct slice plain = fuzz_piece(&input);
    struct buffer bytes, out;

    buffer_init(&bytes, STREAM_MAX);
    buffer_init(&out, OUTPUT_MAX + 4096);
    if (form & 1) {
        (void)!read_all(codec, fuzz_rest(&input), room, &out);
    } else if (codec >= 1 && codec <= 4 && plain.len > 0 &&
               compress_records(codec, plain, &bytes) == ERR_OK) {
        invariant(read_all(codec, buffer_slice(&bytes), room, &out) == ERR_OK);
        invariant(slice_equal(buffer_slice(&out), plain));
        buffer_clear(&out);
        fuzz_patch(&input, bytes.data, &bytes.len);
        (void)!read_all(codec, buffer_slice(&bytes), room, &out);
    }
    buffer_done(&bytes);
    buffer_done(&out);
    return 0;
}
