/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, page by page: {"rows_count", "next_url", "resources"}.
 *
 * The first call's filters travel in the cursor, so later calls need only `start` and cannot change what is listed. */
#ifndef CONTROLPLANE_ENDPOINTS_PAGING_H
#define CONTROLPLANE_ENDPOINTS_PAGING_H

#include "controlplane/endpoints/call.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX 200

struct page {
    const char *kind; /* tells the lists apart: "instances", "keys", "keys:<instance>" */
    json_t *filters;  /* name → text; owned, page_done */
    int64_t after;
    int64_t limit;
};

/* names: the filters of this list, NULL-terminated; any other query parameter is refused. */
enum err page_read(struct call *call, const char *kind, const char *const *names,
                   struct page *ret_page, struct error *error) WARN_UNUSED;
void page_done(struct page *page);
/* NULL when not filtered by it. Borrowed from the page. */
const char *page_filter(const struct page *page, const char *name);
/* resources is moved. has_more: there is a row after last_seq. */
void page_reply(struct call *call, const struct page *page, const char *path, json_t *resources,
                bool has_more, int64_t last_seq);

#endif
