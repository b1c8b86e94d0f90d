/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/target.h"

#include "common/crypto/encoding.h"

static bool is_percent_triplet(struct slice text, size_t at)
{
    uint8_t byte = 0;

    return text.len - at >= 3 && text.data[at] == '%' &&
           hex_decode(slice_of(text.data + at + 1, 2), &byte, 1) == ERR_OK;
}

/* Decodes into the arena. Control bytes are refused: no name of ours has one. */
static enum err decode(struct slice raw, bool plus_is_space, struct arena *arena, const char **ret,
                       size_t *ret_len)
{
    char *text = arena_alloc(arena, raw.len + 1);
    size_t len = 0;

    if (!text)
        return ERR_NO_MEMORY;
    for (size_t at = 0; at < raw.len; at++) {
        uint8_t byte = raw.data[at];

        if (byte == '%') {
            if (!is_percent_triplet(raw, at) ||
                hex_decode(slice_of(raw.data + at + 1, 2), &byte, 1) != ERR_OK)
                return ERR_INVALID;
            at += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        if (byte < 0x20 || byte == 0x7f)
            return ERR_INVALID;
        text[len++] = (char)byte;
    }
    text[len] = '\0';
    *ret = text;
    *ret_len = len;
    return ERR_OK;
}

static enum err add_segment(struct slice raw, struct arena *arena, struct target *target,
                            struct error *error)
{
    const char *text = NULL;
    size_t len = 0;

    if (target->segment_count == TARGET_MAX_SEGMENTS)
        return error_set(error, ERR_INVALID, "The path has more than %d segments.",
                         TARGET_MAX_SEGMENTS);
    enum err rc = decode(raw, false, arena, &text, &len);
    if (rc == ERR_NO_MEMORY)
        return error_set(error, rc, "no memory for the path");
    if (rc != ERR_OK || len == 0 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return error_set(error, ERR_INVALID,
                         "The path has an empty, relative or badly encoded segment.");
    for (size_t at = 0; at < len; at++)
        if (is_percent_triplet(slice_of(text, len), at))
            return error_set(error, ERR_INVALID, "A segment of the path is encoded twice.");
    target->segments[target->segment_count++] = text;
    return ERR_OK;
}

enum err target_parse_form(struct slice raw, struct arena *arena, struct target_pair *ret_pairs,
                           int max_pairs, int *ret_count, struct error *error)
{
    int count = 0;

    for (size_t at = 0; at < raw.len;) {
        const uint8_t *end = memchr(raw.data + at, '&', raw.len - at);
        struct slice part =
            slice_of(raw.data + at, end ? (size_t)(end - raw.data) - at : raw.len - at);
        size_t ignored = 0;

        at += part.len + 1;
        if (part.len == 0)
            continue;
        if (count == max_pairs)
            return error_set(error, ERR_INVALID, "There are more than %d parameters.", max_pairs);
        const uint8_t *equals = memchr(part.data, '=', part.len);
        size_t name_len = equals ? (size_t)(equals - part.data) : part.len;
        struct slice value = slice_of(part.data + name_len + (equals ? 1 : 0),
                                      part.len - name_len - (equals ? 1 : 0));
        struct target_pair pair = {NULL, NULL};
        enum err rc = decode(slice_of(part.data, name_len), true, arena, &pair.name, &ignored);
        if (rc == ERR_OK)
            rc = decode(value, true, arena, &pair.value, &ignored);
        if (rc != ERR_OK)
            return error_set(error, rc, "A parameter is badly percent-encoded.");
        if (target_pair_value(ret_pairs, count, pair.name))
            return error_set(error, ERR_INVALID, "Parameter %.60s is given twice.", pair.name);
        ret_pairs[count++] = pair;
    }
    *ret_count = count;
    return ERR_OK;
}

enum err target_parse(struct slice raw, struct arena *arena, struct target *ret_target,
                      struct error *error)
{
    struct target target = {.segment_count = 0};

    if (raw.len > TARGET_MAX_BYTES)
        return error_set(error, ERR_TOO_LARGE, "The request target is longer than %d bytes.",
                         TARGET_MAX_BYTES);
    if (raw.len == 0 || raw.data[0] != '/')
        return error_set(error, ERR_INVALID, "The request target must begin with '/'.");
    const uint8_t *question = memchr(raw.data, '?', raw.len);
    size_t path_len = question ? (size_t)(question - raw.data) : raw.len;

    for (size_t at = 1; at < path_len;) {
        const uint8_t *end = memchr(raw.data + at, '/', path_len - at);
        size_t len = end ? (size_t)(end - raw.data) - at : path_len - at;
        enum err rc = add_segment(slice_of(raw.data + at, len), arena, &target, error);

        if (rc != ERR_OK)
            return rc;
        at += len + 1;
    }
    if (question) {
        enum err rc = target_parse_form(slice_of(question + 1, raw.len - path_len - 1), arena,
                                        target.pairs, TARGET_MAX_PAIRS, &target.pair_count, error);
        if (rc != ERR_OK)
            return rc;
    }
    *ret_target = target;
    return ERR_OK;
}

const char *target_pair_value(const struct target_pair *pairs, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}
