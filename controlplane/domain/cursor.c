/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/domain/cursor.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "common/crypto/encoding.h"

#define MAC_LEN 32
#define MAC_TEXT_LEN 43
#define MAX_BODY_BYTES ((CURSOR_MAX_LEN - MAC_TEXT_LEN - 1) / 4 * 3)

static bool seal(struct slice key, const void *body, size_t len, uint8_t mac[MAC_LEN])
{
    unsigned mac_len = 0;

    return HMAC(EVP_sha256(), key.data, (int)key.len, body, len, mac, &mac_len) != NULL &&
           mac_len == MAC_LEN;
}

char *cursor_encode(struct slice key, const char *kind, int64_t after, const json_t *filters)
{
    json_t *body =
        json_pack("{s:s, s:I, s:O}", "kind", kind, "after", (json_int_t)after, "filters", filters);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    size_t len = text ? strlen(text) : 0;
    char *cursor = text && len <= MAX_BODY_BYTES ? malloc(CURSOR_MAX_LEN + 1) : NULL;
    uint8_t mac[MAC_LEN];

    json_decref(body);
    if (cursor && seal(key, text, len, mac)) {
        size_t at = base64url_encode(text, len, cursor);

        cursor[at++] = '.';
        base64url_encode(mac, MAC_LEN, cursor + at);
    } else {
        free(cursor);
        cursor = NULL;
    }
    free(text);
    return cursor;
}

enum err cursor_decode(struct slice key, const char *kind, const char *text, int64_t *ret_after,
                       json_t **ret_filters, struct error *error)
{
    uint8_t body[MAX_BODY_BYTES + 4], sent[MAC_LEN], made[MAC_LEN];
    const char *dot = strchr(text, '.');
    size_t len = 0, sent_len = 0;
    json_int_t after = 0;
    json_t *filters = NULL;
    const char *found_kind = NULL;

    if (!dot || strlen(text) > CURSOR_MAX_LEN ||
        base64_decode(slice_of(text, (size_t)(dot - text)), body, sizeof(body), &len) != ERR_OK ||
        base64_decode(slice_from_cstring(dot + 1), sent, sizeof(sent), &sent_len) != ERR_OK ||
        sent_len != MAC_LEN || !seal(key, body, len, made) ||
        CRYPTO_memcmp(sent, made, MAC_LEN) != 0)
        return error_set(error, ERR_INVALID, "Parameter start is not a cursor of this service.");
    json_t *root = json_loadb((const char *)body, len, 0, NULL);
    if (!root ||
        json_unpack(root, "{s:s, s:I, s:o}", "kind", &found_kind, "after", &after, "filters",
                    &filters) != 0 ||
        strcmp(found_kind, kind) != 0) {
        json_decref(root);
        return error_set(error, ERR_INVALID, "Parameter start is a cursor of another list.");
    }
    *ret_after = after;
    *ret_filters = json_incref(filters);
    json_decref(root);
    return ERR_OK;
}
