/* SPDX-License-Identifier: Apache-2.0 */
/* An input read as choices: numbers, pieces, and changes to bytes that were good. At its end everything is
 * zero or empty, so that every input means something. */
#ifndef TESTS_FUZZ_FUZZ_INPUT_H
#define TESTS_FUZZ_FUZZ_INPUT_H

#include "common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* What libFuzzer, and the runner of seeds, call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *data;
    size_t len;
};

uint8_t fuzz_u8(struct fuzz_input *input);
uint16_t fuzz_u16(struct fuzz_input *input);
uint64_t fuzz_u64(struct fuzz_input *input);
/* Length byte, then so many bytes, as many as are left. Points into the input. */
struct slice fuzz_piece(struct fuzz_input *input);
/* All that is left. */
struct slice fuzz_rest(struct fuzz_input *input);
/* Changes `bytes` as the rest of the input says: a new length (at most *len), then positions and values. */
void fuzz_patch(struct fuzz_input *input, uint8_t *bytes, size_t *len);
/* The last four bytes become the CRC-32C of those before, so that what is behind the check is reached. */
void fuzz_mend_crc(uint8_t *bytes, size_t len);

#endif
