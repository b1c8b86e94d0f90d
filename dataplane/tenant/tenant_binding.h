/* SPDX-License-Identifier: Apache-2.0 */
/* Which service instance a connection belongs to, for life.
 *
 * On SASL listeners the key decides: it opens exactly its instance. The authorization id may repeat
 * what the key says (empty, the user name, the instance's GUID, its host label, its CRN); one that
 * names something else is refused. On PLAINTEXT listeners the port decides (listener row). From
 * here every name is looked up as (instance, name). */
#ifndef DATAPLANE_TENANT_TENANT_BINDING_H
#define DATAPLANE_TENANT_TENANT_BINDING_H

#include "dataplane/auth/sasl_exchange.h"
#include "dataplane/cluster/image.h"

struct tenant_binding {
    int32_t instance_no;         /* 0 = not bound */
    char key_id[KEY_ID_LEN + 1]; /* "" on PLAINTEXT: the user is ANONYMOUS */
    enum image_role role;        /* PLAINTEXT: Manager */
};

/* A SASL directory over the image of one loop; `pepper` is borrowed (32 random bytes of this
 * process). */
struct sasl_directory tenant_directory(const struct image *image, struct random *random,
                                       const uint8_t *pepper);

/* After SASL succeeded. ERR_DENIED: the key or instance is gone or suspended, the key has no role, the authzid
 * names another, or the listener is bound to another instance. */
enum err tenant_bind_credential(const struct image *image, struct slice key_id,
                                struct slice authzid, const struct image_listener *listener,
                                struct tenant_binding *ret_binding) WARN_UNUSED;
/* A connection on a PLAINTEXT listener. ERR_DENIED: no instance, or suspended. */
enum err tenant_bind_listener(const struct image *image, const struct image_listener *listener,
                              struct tenant_binding *ret_binding) WARN_UNUSED;

/* The tenant of a binding; NULL = gone or suspended: close the connection. */
const struct image_tenant *tenant_of(const struct image *image,
                                     const struct tenant_binding *binding);

#endif
