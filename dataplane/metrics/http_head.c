/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/metrics/http_head.h"

static bool ends_with_empty_line(struct slice bytes)
{
    return memmem(bytes.data, bytes.len, "\r\n\r\n", 4) != NULL;
}

/* What comes before the first `delimiter`, which is dropped; false = there is none. */
static bool cut(struct slice *rest, char delimiter, struct slice *ret_part)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->data, delimiter, rest->len) : NULL;
    size_t len = 0;

    if (at == NULL)
        return false;
    len = (size_t)(at - rest->data);
    *ret_part = slice_of(rest->data, len);
    *rest = slice_of(at + 1, rest->len - len - 1);
    return true;
}

static bool is_path(struct slice path)
{
    if (path.len == 0 || path.data[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        if (path.data[i] <= ' ' || path.data[i] >= 0x7f)
            return false;
    }
    return true;
}

enum err http_head_parse(struct slice bytes, struct slice *ret_path)
{
    struct slice line, method, target, path;

    if (bytes.len == 0 || !ends_with_empty_line(bytes))
        return ERR_TRUNCATED;
    if (!cut(&bytes, '\r', &line) || !cut(&line, ' ', &method) || !cut(&line, ' ', &target))
        return ERR_INVALID;
    if (!slice_equal_cstring(line, "HTTP/1.1") && !slice_equal_cstring(line, "HTTP/1.0"))
        return ERR_INVALID;
    path = target;
    (void)cut(&target, '?', &path);
    if (!is_path(path))
        return ERR_INVALID;
    if (!slice_equal_cstring(method, "GET"))
        return ERR_UNSUPPORTED;
    *ret_path = path;
    return ERR_OK;
}
