/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler answers: a table of method and template, matched segment by segment.
 *
 *   {HTTP_GET, "/v2/resource_keys/{id}", resource_keys_get}
 *
 * "{…}" takes any one segment; "*" as the last segment takes the rest, none included. The first match wins. */
#ifndef CONTROLPLANE_HTTP_ROUTER_H
#define CONTROLPLANE_HTTP_ROUTER_H

#include "common/base/slice.h"
#include "controlplane/http/target.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHOD_COUNT };

struct http_request;
typedef void (*http_handler_fn)(struct http_request *request);

struct http_route {
    enum http_method method;
    const char *template;
    http_handler_fn handler;
};

#define ROUTER_MAX_PARAMS 4

struct router_match {
    const struct http_route *route; /* NULL: no such path, or not with this method */
    const char
        *params[ROUTER_MAX_PARAMS]; /* what stood for {…}, in order; borrowed from the target */
    int param_count;
    unsigned allowed_methods; /* bit per method of the path's routes; 0 = no such path */
};

void router_match(const struct http_route *routes, int route_count, enum http_method method,
                  const struct target *target, struct router_match *ret_match);
const char *http_method_name(enum http_method method);
/* HEAD is GET. False: a method that we do not know. */
bool http_method_parse(const char *text, enum http_method *ret_method);

#endif
