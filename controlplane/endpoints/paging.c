/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/paging.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/domain/cursor.h"

/* All filters of a list fit into a cursor. */
#define FILTER_MAX_BYTES 256

static struct slice cursor_key(const struct call *call)
{
    return slice_of(call->endpoints->cursor_key, SEAL_KEY_LEN);
}

static enum err read_limit(const struct page *page, int64_t *ret_limit, struct error *error)
{
    const char *text = page_filter(page, "limit");
    size_t digits = text ? strspn(text, "0123456789") : 0;

    *ret_limit = PAGE_DEFAULT;
    if (!text)
        return ERR_OK;
    if (digits == 0 || digits > 6 || text[digits] != '\0')
        return error_set(error, ERR_INVALID, "limit must be 1 to %d.", PAGE_MAX);
    *ret_limit = strtoll(text, NULL, 10);
    if (*ret_limit < 1 || *ret_limit > PAGE_MAX)
        return error_set(error, ERR_INVALID, "limit must be 1 to %d.", PAGE_MAX);
    return ERR_OK;
}

static enum err read_filters(const struct call *call, const char *const *names, json_t *filters,
                             struct error *error)
{
    const struct target *target = &call->request->target;

    for (int i = 0; i < target->pair_count; i++) {
        const struct target_pair *pair = &target->pairs[i];
        int n = 0;

        while (names[n] && strcmp(names[n], pair->name) != 0)
            n++;
        if (!names[n] && strcmp(pair->name, "limit") != 0)
            return error_set(error, ERR_INVALID, "Unknown query parameter %.60s.", pair->name);
        json_t *value = strlen(pair->value) <= FILTER_MAX_BYTES ? json_string(pair->value) : NULL;
        if (!value)
            return error_set(error, ERR_INVALID, "Parameter %.60s is too long, or not UTF-8.",
                             pair->name);
        if (json_object_set_new(filters, pair->name, value) != 0)
            return error_set(error, ERR_NO_MEMORY, "list: no memory");
    }
    return ERR_OK;
}

enum err page_read(struct call *call, const char *kind, const char *const *names,
                   struct page *ret_page, struct error *error)
{
    struct page page = {.kind = kind};
    const char *start = http_query(call->request, "start");
    enum err rc = ERR_OK;

    if (start && *start != '\0') {
        rc = cursor_decode(cursor_key(call), kind, start, &page.after, &page.filters, error);
    } else {
        page.filters = json_object();
        rc = page.filters ? read_filters(call, names, page.filters, error)
                          : error_set(error, ERR_NO_MEMORY, "list: no memory");
    }
    if (rc == ERR_OK)
        rc = read_limit(&page, &page.limit, error);
    if (rc != ERR_OK) {
        page_done(&page);
        return rc;
    }
    *ret_page = page;
    return ERR_OK;
}

void page_done(struct page *page)
{
    json_decref(page->filters);
    page->filters = NULL;
}

const char *page_filter(const struct page *page, const char *name)
{
    const char *text = json_string_value(json_object_get(page->filters, name));

    return text && *text != '\0' ? text : NULL;
}

void page_reply(struct call *call, const struct page *page, const char *path, json_t *resources,
                bool has_more, int64_t last_seq)
{
    char *cursor =
        has_more ? cursor_encode(cursor_key(call), page->kind, last_seq, page->filters) : NULL;
    const char *next_url = cursor ? arena_printf(call->arena, "%s?start=%s", path, cursor) : NULL;

    free(cursor);
    if (!resources || (has_more && !next_url)) {
        json_decref(resources);
        http_reply_error(call->request, &(struct error){ERR_NO_MEMORY, "list: no memory"});
        return;
    }
    http_reply_json(call->request, 200,
                    json_pack("{s:i, s:s?, s:o}", "rows_count", (int)json_array_size(resources),
                              "next_url", next_url, "resources", resources));
}
