/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/domain/names.h"

/* Length of the UTF-8 sequence at the start of text, 0 when it is not one (overlong forms, surrogates and
 * what lies beyond U+10FFFF included). */
static size_t utf8_sequence_len(struct slice text)
{
    uint8_t first = text.data[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xc2 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf5 ? 4
                                : 0;

    if (len == 0 || len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text.data[1] < 0xa0) || (first == 0xed && text.data[1] > 0x9f) ||
        (first == 0xf0 && text.data[1] < 0x90) || (first == 0xf4 && text.data[1] > 0x8f))
        return 0;
    return len;
}

static bool is_allowed_ascii(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr(" -._:", byte) != NULL);
}

enum err name_check(const char *what, struct slice name, struct error *error)
{
    size_t chars = 0;

    for (size_t at = 0; at < name.len; chars++) {
        size_t len = utf8_sequence_len(slice_of(name.data + at, name.len - at));

        if (len == 0)
            return error_set(error, ERR_INVALID, "The %s is not valid UTF-8.", what);
        if (len == 1 && !is_allowed_ascii(name.data[at]))
            return error_set(error, ERR_INVALID,
                             "The %s may hold letters, digits, space, '-', '.', '_' and ':' only.",
                             what);
        at += len;
    }
    if (chars == 0 || chars > NAME_MAX_CHARS)
        return error_set(error, ERR_INVALID, "The %s must have 1 to %d characters.", what,
                         NAME_MAX_CHARS);
    return ERR_OK;
}

enum err host_label_generate(struct random *random, char ret_label[HOST_LABEL_LEN + 1])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345"; /* 32: no bias */
    uint8_t bytes[HOST_LABEL_LEN];
    enum err rc = random_fill(random, bytes, sizeof(bytes));

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < HOST_LABEL_LEN; i++)
        ret_label[i] = alphabet[bytes[i] % (i == 0 ? 16 : 32)];
    ret_label[HOST_LABEL_LEN] = '\0';
    return ERR_OK;
}

bool account_id_is_valid(const char *text)
{
    return strlen(text) == ACCOUNT_ID_LEN && strspn(text, "0123456789abcdef") == ACCOUNT_ID_LEN;
}
