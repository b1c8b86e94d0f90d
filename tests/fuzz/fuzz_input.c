/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_input.h"

#include "common/wire/crc32c.h"

uint8_t fuzz_u8(struct fuzz_input *input)
{
    if (input->len == 0)
        return 0;
    input->len--;
    return *input->data++;
}

uint16_t fuzz_u16(struct fuzz_input *input)
{
    uint16_t high = fuzz_u8(input);

    return (uint16_t)(high << 8 | fuzz_u8(input));
}

uint64_t fuzz_u64(struct fuzz_input *input)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | fuzz_u8(input);
    return value;
}

struct slice fuzz_piece(struct fuzz_input *input)
{
    size_t len = fuzz_u8(input);
    struct slice piece = slice_of(input->data, len < input->len ? len : input->len);

    input->data += piece.len;
    input->len -= piece.len;
    return piece;
}

struct slice fuzz_rest(struct fuzz_input *input)
{
    struct slice rest = slice_of(input->data, input->len);

    input->len = 0;
    return rest;
}

void fuzz_patch(struct fuzz_input *input, uint8_t *bytes, size_t *len)
{
    size_t new_len = fuzz_u16(input);

    if (new_len < *len)
        *len -= new_len;
    while (input->len > 0 && *len > 0) {
        size_t position = fuzz_u16(input) % *len;

        bytes[position] = fuzz_u8(input);
    }
}

void fuzz_mend_crc(uint8_t *bytes, size_t len)
{
    uint32_t crc = 0;

    if (len < sizeof(crc))
        return;
    crc = crc32c(bytes, len - sizeof(crc));
    for (size_t i = 0; i < sizeof(crc); i++)
        bytes[len - 1 - i] = (uint8_t)(crc >> (8 * i));
}
