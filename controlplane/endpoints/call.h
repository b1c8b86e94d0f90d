/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around every endpoint: a connection from the pool, the caller's identity, and one place where errors
 * become answers. A body parses, decides, stores and replies, or returns an error. */
#ifndef CONTROLPLANE_ENDPOINTS_CALL_H
#define CONTROLPLANE_ENDPOINTS_CALL_H

#include "controlplane/endpoints/endpoints.h"
#include "controlplane/store/catalog.h"

struct call {
    struct http_request *request;
    struct endpoints *endpoints;
    struct db *db;
    struct arena *arena; /* the request's */
    struct principal principal;
    const char *action; /* "messagehub.instance.create": what audit rows say */
    void *state;        /* the endpoint's own, kept while the request waits */
};

typedef enum err (*call_body_fn)(struct call *call, struct error *error);

/* Authenticates, asks for at least this role, runs the body. A refused change, and whoever is not let in, leaves an audit
 * row. */
void call_run(struct http_request *request, enum role role, const char *action, call_body_fn body);
/* Runs the next body of a request that waited: the caller is known already. */
void call_continue(struct http_request *request, call_body_fn body);

/* Audit row of a change, in its transaction. */
enum err call_audit(struct call *call, const char *target, struct error *error) WARN_UNUSED;
/* Of a refusal, outside of any transaction; what anybody can cause without end is kept at the rate of `audits`.
 * account_id, actor: "" when not known. */
void audit_refusal(struct http_request *request, struct db *db, const char *account_id,
                   const char *actor, const char *action, const char *target, const char *reason);
/* Wakes provision, after the commit. It polls too, so a failure is no error. */
void call_notify(struct call *call, struct uuid id);
int64_t call_now_s(const struct call *call);

/* ---- reading a JSON body; texts are borrowed from it ---- */

/* Refuses members that are not in the NULL-terminated list: a misspelt one must not be ignored. */
enum err body_check_members(const json_t *body, const char *const *names,
                            struct error *error) WARN_UNUSED;
/* NULL when absent; ERR_INVALID when it is of another type. */
enum err body_text(const json_t *body, const char *name, bool is_required, const char **ret_text,
                   struct error *error) WARN_UNUSED;
enum err body_bool(const json_t *body, const char *name, bool *ret_is_true,
                   struct error *error) WARN_UNUSED;
/* NULL when absent. */
enum err body_object(const json_t *body, const char *name, const json_t **ret_object,
                     struct error *error) WARN_UNUSED;

/* JSON text in the arena; NULL when memory is out. */
const char *json_in_arena(const json_t *value, struct arena *arena);
/* A column that we wrote ourselves; NULL when memory is out. */
json_t *json_of_column(const char *text);

#endif
