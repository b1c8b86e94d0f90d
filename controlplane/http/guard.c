/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/guard.h"

#include <stdlib.h>
#include <strings.h>

void guard_init(struct guard *guard, size_t max_body_bytes)
{
    *guard = (struct guard){.is_content_length_clean = true,
                            .is_transfer_encoding_known = true,
                            .max_body_bytes = max_body_bytes};
}

static bool is_named(struct slice name, const char *text)
{
    return name.len == strlen(text) && strncasecmp((const char *)name.data, text, name.len) == 0;
}

static bool has_control_byte(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0')
            return true;
    return false;
}

/* RFC 9110 section 5.6.2. A space before the colon would hide the header from us and not from a front. */
static bool is_token(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.data[i];
        bool is_alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                               (byte >= '0' && byte <= '9');

        if (!is_alphanumeric && (byte == '\0' || !strchr("!#$%&'*+-.^_`|~", byte)))
            return false;
    }
    return name.len > 0;
}

static void add_content_length(struct guard *guard, struct slice value)
{
    size_t length = 0;

    guard->content_length_count++;
    if (value.len == 0)
        guard->is_content_length_clean = false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            guard->is_content_length_clean = false;
            return;
        }
        length = length * 10 + (size_t)(value.data[i] - '0');
        if (length > guard->max_body_bytes) {
            guard->is_over_limit = true;
            length = guard->max_body_bytes + 1;
        }
    }
}

void guard_add_header(struct guard *guard, struct slice name, struct slice value)
{
    guard->header_count++;
    guard->has_bad_bytes |= !is_token(name) || has_control_byte(value);
    if (is_named(name, "Content-Length"))
        add_content_length(guard, value);
    if (is_named(name, "Host"))
        guard->host_count++;
    if (is_named(name, "Transfer-Encoding")) {
        guard->transfer_encoding_count++;
        guard->is_transfer_encoding_known &= is_named(value, "chunked");
    }
}

enum err guard_check(const struct guard *guard, struct error *error)
{
    if (guard->has_bad_bytes)
        return error_set(error, ERR_INVALID,
                         "A header has a bad name, or holds a control character.");
    if (guard->content_length_count > 1 || !guard->is_content_length_clean)
        return error_set(error, ERR_INVALID, "Content-Length must be given once, as digits.");
    if (guard->content_length_count > 0 && guard->transfer_encoding_count > 0)
        return error_set(error, ERR_INVALID,
                         "Content-Length and Transfer-Encoding must not be given together.");
    if (guard->transfer_encoding_count > 1 || !guard->is_transfer_encoding_known)
        return error_set(error, ERR_INVALID, "The only Transfer-Encoding is chunked, given once.");
    if (guard->host_count != 1)
        return error_set(error, ERR_INVALID, "Host must be given exactly once.");
    if (guard->header_count > GUARD_MAX_HEADERS)
        return error_set(error, ERR_INVALID, "There are more than %d headers.", GUARD_MAX_HEADERS);
    if (guard->is_over_limit)
        return error_set(error, ERR_TOO_LARGE, "The body is larger than %zu bytes.",
                         guard->max_body_bytes);
    return ERR_OK;
}
