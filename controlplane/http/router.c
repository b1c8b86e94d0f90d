/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/http/router.h"

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",     [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
};

const char *http_method_name(enum http_method method)
{
    return method_names[method];
}

bool http_method_parse(const char *text, enum http_method *ret_method)
{
    if (strcmp(text, "HEAD") == 0)
        text = "GET";
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (strcmp(text, method_names[i]) == 0) {
            *ret_method = (enum http_method)i;
            return true;
        }
    }
    return false;
}

/* Walks template and segments side by side; fills params as it goes. */
static bool is_match(const char *template, const struct target *target, struct router_match *match)
{
    int segment = 0;

    match->param_count = 0;
    while (*template == '/') {
        const char *part = template + 1;
        size_t len = strcspn(part, "/");

        template = part + len;
        if (len == 0)
            break;
        if (len == 1 && *part == '*')
            return true;
        if (segment == target->segment_count)
            return false;
        const char *text = target->segments[segment++];
        if (*part == '{') {
            if (match->param_count == ROUTER_MAX_PARAMS)
                return false;
            match->params[match->param_count++] = text;
        } else if (strlen(text) != len || memcmp(text, part, len) != 0) {
            return false;
        }
    }
    return segment == target->segment_count;
}

void router_match(const struct http_route *routes, int route_count, enum http_method method,
                  const struct target *target, struct router_match *ret_match)
{
    struct router_match candidate = {.route = NULL};

    *ret_match = (struct router_match){.route = NULL};
    for (int i = 0; i < route_count; i++) {
        if (!is_match(routes[i].template, target, &candidate))
            continue;
        candidate.allowed_methods |= 1u << routes[i].method;
        if (routes[i].method != method)
            continue;
        candidate.route = &routes[i];
        *ret_match = candidate;
        return;
    }
    ret_match->allowed_methods = candidate.allowed_methods;
}
