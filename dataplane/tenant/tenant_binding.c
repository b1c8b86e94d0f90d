/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tenant/tenant_binding.h"

#include <strings.h>

#define CRN_SEGMENTS 10
#define CRN_INSTANCE 7 /* crn:version:cname:ctype:service:location:scope:INSTANCE:type:resource */

/* Every key of the cell is looked up; which instance it opens is the key's own property. */
static bool find_credential(void *context, struct slice key_id,
                            struct sasl_credential *ret_credential)
{
    const struct image_credential *credential =
        image_credential_by_key_id((const struct image *)context, key_id);

    if (credential == NULL)
        return false;
    *ret_credential = (struct sasl_credential){.verifier = credential->verifier};
    for (int i = 0; i < 2; i++) {
        if (credential->has_scram[i])
            ret_credential->scram[i] = &credential->scram[i];
    }
    return true;
}

struct sasl_directory tenant_directory(const struct image *image, struct random *random,
                                       const uint8_t *pepper)
{
    return (struct sasl_directory){.find = find_credential,
                                   .context = (void *)(uintptr_t)image,
                                   .random = random,
                                   .pepper = pepper};
}

static bool is_guid(const struct image_tenant *tenant, struct slice text)
{
    struct uuid uuid;

    return uuid_parse(text, &uuid) == ERR_OK && uuid_equal(uuid, tenant->instance);
}

/* The CRN of the instance: ten segments, the eighth is the GUID, nothing after it. */
static bool is_crn(const struct image_tenant *tenant, struct slice text)
{
    struct slice segments[CRN_SEGMENTS];
    size_t count = 0;
    const uint8_t *start = text.data;
    const uint8_t *end = text.data + text.len;

    for (const uint8_t *at = start; at <= end; at++) {
        if (at < end && *at != ':')
            continue;
        if (count == CRN_SEGMENTS)
            return false;
        segments[count++] = slice_of(start, (size_t)(at - start));
        start = at + 1;
    }
    return count == CRN_SEGMENTS && slice_equal_cstring(segments[0], "crn") &&
           slice_equal_cstring(segments[1], "v1") && is_guid(tenant, segments[CRN_INSTANCE]) &&
           segments[CRN_INSTANCE + 1].len == 0 && segments[CRN_INSTANCE + 2].len == 0;
}

static bool may_act_as(const struct image_tenant *tenant, const struct image_credential *credential,
                       struct slice authzid)
{
    return slice_is_null(authzid) || authzid.len == 0 || slice_equal_cstring(authzid, "token") ||
           slice_equal_cstring(authzid, credential->key_id) || is_guid(tenant, authzid) ||
           (authzid.len == strlen(tenant->label) &&
            strncasecmp((const char *)authzid.data, tenant->label, authzid.len) == 0) ||
           is_crn(tenant, authzid);
}

enum err tenant_bind_credential(const struct image *image, struct slice key_id,
                                struct slice authzid, const struct image_listener *listener,
                                struct tenant_binding *ret_binding)
{
    const struct image_credential *credential = image_credential_by_key_id(image, key_id);
    const struct image_tenant *tenant =
        credential ? image_tenant_by_no(image, credential->instance_no) : NULL;

    if (tenant == NULL || !tenant->is_active || credential->role == ROLE_NONE ||
        !may_act_as(tenant, credential, authzid))
        return ERR_DENIED;
    if (listener != NULL && listener->instance_no != 0 &&
        listener->instance_no != tenant->instance_no)
        return ERR_DENIED;
    *ret_binding =
        (struct tenant_binding){.instance_no = tenant->instance_no, .role = credential->role};
    memcpy(ret_binding->key_id, credential->key_id, sizeof(ret_binding->key_id));
    return ERR_OK;
}

enum err tenant_bind_listener(const struct image *image, const struct image_listener *listener,
                              struct tenant_binding *ret_binding)
{
    struct tenant_binding binding = {.instance_no = listener->instance_no, .role = ROLE_MANAGER};

    if (listener->security != LISTENER_PLAINTEXT || tenant_of(image, &binding) == NULL)
        return ERR_DENIED;
    *ret_binding = binding;
    return ERR_OK;
}

const struct image_tenant *tenant_of(const struct image *image,
                                     const struct tenant_binding *binding)
{
    const struct image_tenant *tenant = image_tenant_by_no(image, binding->instance_no);

    return tenant != NULL && tenant->is_active ? tenant : NULL;
}
