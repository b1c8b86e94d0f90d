/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/listener_host.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char broker_word[] = "{broker}";
static const char label_word[] = "{label}";

/* A pattern whose words, if any, stand before the first dot. */
static enum err check(const char *pattern, struct error *error)
{
    const char *dot = strchr(pattern, '.');
    const char *last = strrchr(pattern, '{');

    if (pattern[0] == '\0' || (last != NULL && (dot == NULL || last > dot)))
        return error_set(error, ERR_INVALID,
                         "listener_host \"%s\": {broker} and {label} belong before the first dot",
                         pattern);
    return ERR_OK;
}

/* label NULL = leave {label} as it is. */
static enum err expand(const char *pattern, int64_t broker_id, const char *label,
                       char host[LISTENER_HOST_ROOM], struct error *error)
{
    size_t len = 0;
    enum err rc = check(pattern, error);

    while (rc == ERR_OK && *pattern != '\0') {
        size_t room = LISTENER_HOST_ROOM - len;
        int added = 0;

        if (strncmp(pattern, broker_word, sizeof(broker_word) - 1) == 0) {
            added = snprintf(host + len, room, "%lld", (long long)broker_id);
            pattern += sizeof(broker_word) - 1;
        } else if (label != NULL && strncmp(pattern, label_word, sizeof(label_word) - 1) == 0) {
            added = snprintf(host + len, room, "%s", label);
            pattern += sizeof(label_word) - 1;
        } else {
            added = snprintf(host + len, room, "%c", *pattern);
            pattern++;
        }
        len += (size_t)added;
        if (len >= LISTENER_HOST_ROOM)
            rc = error_set(error, ERR_TOO_LARGE, "a host name is longer than %d bytes",
                           LISTENER_HOST_ROOM - 1);
    }
    return rc;
}

enum err listener_host_for_broker(const char *pattern, int64_t broker_id,
                                  char host[LISTENER_HOST_ROOM], struct error *error)
{
    return expand(pattern, broker_id, NULL, host, error);
}

enum err listener_host_for_client(const char *pattern, int64_t broker_id, const char *label,
                                  char host[LISTENER_HOST_ROOM], struct error *error)
{
    return expand(pattern, broker_id, label, host, error);
}

enum err listener_host_for_certificate(const char *pattern, char host[LISTENER_HOST_ROOM],
                                       struct error *error)
{
    enum err rc = check(pattern, error);

    if (rc != ERR_OK)
        return rc;
    bool has_word = strchr(pattern, '{') != NULL;
    int len = has_word ? snprintf(host, LISTENER_HOST_ROOM, "*%s", strchr(pattern, '.'))
                       : snprintf(host, LISTENER_HOST_ROOM, "%s", pattern);
    if (len >= LISTENER_HOST_ROOM)
        return error_set(error, ERR_TOO_LARGE, "a host name is longer than %d bytes",
                         LISTENER_HOST_ROOM - 1);
    return ERR_OK;
}
