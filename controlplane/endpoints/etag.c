/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/endpoints/etag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/encoding.h"

#define TAG_BYTES 16

void etag_of(const json_t *object, char ret_etag[ETAG_ROOM])
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char hex[2 * TAG_BYTES + 1];
    uint8_t digest[32];

    ret_etag[0] = '\0';
    if (!text)
        return;
    sha256(text, strlen(text), digest);
    hex_encode(digest, TAG_BYTES, hex);
    snprintf(ret_etag, ETAG_ROOM, "\"%s\"", hex);
    free(text);
}

void etag_reply(struct http_request *request, const json_t *object)
{
    char etag[ETAG_ROOM];

    etag_of(object, etag);
    if (etag[0] != '\0')
        http_reply_header(request, "ETag", etag);
}

/* A list of tags between commas; weak ones never match. */
static bool has_tag(const char *list, const char *etag)
{
    size_t len = strlen(etag);

    for (const char *at = list; *at != '\0'; at += strcspn(at, ",") + (strchr(at, ',') ? 1 : 0)) {
        at += strspn(at, " \t");
        if (strncmp(at, etag, len) == 0 && strchr(", \t", at[len]) != NULL)
            return true;
    }
    return false;
}

enum err etag_check(const struct http_request *request, json_t *object, struct error *error)
{
    const char *sent = http_header(request, "If-Match");
    char etag[ETAG_ROOM];

    etag_of(object, etag);
    json_decref(object);
    if (!sent || strcmp(sent, "*") == 0)
        return ERR_OK;
    if (etag[0] == '\0')
        return error_set(error, ERR_NO_MEMORY, "etag: no memory");
    if (!has_tag(sent, etag))
        return error_set(error, ERR_STALE, "The object is not the one that If-Match names.");
    return ERR_OK;
}
