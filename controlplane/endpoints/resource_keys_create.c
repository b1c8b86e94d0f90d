/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v2/resource_keys: a random key, of which we keep verifiers, and the key itself only sealed, and only when it
 * may be shown again. The answer waits until every broker knows the key (201); when that takes more than two
 * seconds the credentials come all the same, with 202: they are shown now or never. */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/encoding.h"
#include "common/crypto/scram.h"
#include "common/crypto/service_key.h"
#include "controlplane/domain/crn.h"
#include "controlplane/domain/lifecycle.h"
#include "controlplane/domain/names.h"
#include "controlplane/endpoints/idempotency.h"
#include "controlplane/endpoints/render.h"
#include "controlplane/endpoints/resource_keys.h"
#include "controlplane/endpoints/resource_keys_internal.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/store/credentials.h"
#include "controlplane/store/instances.h"
#include "controlplane/store/transaction.h"

#define SCRAM_ITERATIONS 4096

struct key_creation {
    struct call *call;
    struct new_credential credential;
    struct service_key key; /* wiped when the request is answered */
    struct instance_row instance;
    struct idempotency idempotency;
    char crn[CRN_MAX_LEN + 1];
};

/* "Writer", or the CRN of a role; the body's `role`, or Terraform's parameters.role_crn. */
static enum err read_role(struct key_creation *creation, const json_t *body,
                          const json_t *parameters, struct error *error)
{
    static const char *const roles[] = {"Manager", "Writer", "Reader", "NONE"};
    const char *role = NULL;
    enum err rc = body_text(body, "role", false, &role, error);

    if (rc == ERR_OK && !role)
        rc = body_text(parameters, "role_crn", false, &role, error);
    if (rc != ERR_OK)
        return rc;
    const char *name = role ? crn_last_part(role) : "Manager";
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(name, roles[i]) == 0) {
            creation->credential.role = roles[i];
            return ERR_OK;
        }
    }
    return error_set(error, ERR_INVALID, "role must be Manager, Writer, Reader or NONE.");
}

static enum err read_body(struct key_creation *creation, const json_t *body, struct error *error)
{
    static const char *const members[] = {"name", "source", "parameters", "role", NULL};
    struct new_credential *credential = &creation->credential;
    struct call *call = creation->call;
    const json_t *parameters = NULL;
    const char *source = NULL;
    enum err rc = body_check_members(body, members, error);

    if (rc == ERR_OK)
        rc = body_text(body, "name", true, &credential->name, error);
    if (rc == ERR_OK)
        rc = name_check("name", slice_from_cstring(credential->name), error);
    if (rc == ERR_OK)
        rc = body_text(body, "source", true, &source, error);
    if (rc == ERR_OK)
        rc = body_object(body, "parameters", &parameters, error);
    if (rc == ERR_OK)
        rc = read_role(creation, body, parameters, error);
    if (rc != ERR_OK)
        return rc;
    if (crn_parse_instance(source, call->principal.account_id, &credential->instance_id) != ERR_OK)
        return error_set(error, ERR_NOT_FOUND, "There is no such instance: source.");
    credential->parameters = parameters ? json_in_arena(parameters, call->arena) : "{}";
    return credential->parameters ? ERR_OK : error_set(error, ERR_NO_MEMORY, "key: no memory");
}

/* {"salt", "iterations", "stored_key", "server_key"}, as in migrations/README.md. */
static enum err make_scram(struct key_creation *creation, enum scram_mechanism mechanism,
                           const char **ret_text, struct error *error)
{
    struct scram_verifier verifier;
    char salt[32], stored[96], server[96];
    size_t len = scram_key_len(mechanism);
    enum err rc = scram_verifier_make(mechanism, slice_from_cstring(creation->key.text),
                                      SCRAM_ITERATIONS, &system_random, &verifier);

    if (rc != ERR_OK)
        return error_set(error, rc, "key: cannot make a SCRAM verifier");
    base64_encode(verifier.salt, SCRAM_SALT_LEN, salt);
    base64_encode(verifier.stored_key, len, stored);
    base64_encode(verifier.server_key, len, server);
    json_t *object = json_pack("{s:s, s:i, s:s, s:s}", "salt", salt, "iterations", SCRAM_ITERATIONS,
                               "stored_key", stored, "server_key", server);
    *ret_text = object ? json_in_arena(object, creation->call->arena) : NULL;
    json_decref(object);
    return *ret_text ? ERR_OK : error_set(error, ERR_NO_MEMORY, "key: no memory");
}

static enum err make_key(struct key_creation *creation, struct error *error)
{
    struct new_credential *credential = &creation->credential;
    enum err rc = service_key_generate(&system_random, KEY_SERVICE, &creation->key);

    if (rc == ERR_OK)
        rc = uuid_generate(&system_random, &credential->credential_id);
    if (rc != ERR_OK)
        return error_set(error, rc, "key: no randomness");
    credential->account_id = creation->call->principal.account_id;
    credential->key_id = creation->key.id;
    credential->verifier = slice_of(creation->key.verifier, KEY_VERIFIER_LEN);
    credential->created_by = creation->call->principal.iam_id;
    rc = make_scram(creation, SCRAM_SHA_256, &credential->scram_sha_256, error);
    if (rc == ERR_OK)
        rc = make_scram(creation, SCRAM_SHA_512, &credential->scram_sha_512, error);
    return rc;
}

static enum err seal_key(struct key_creation *creation, struct slice *ret_sealed,
                         struct error *error)
{
    struct call *call = creation->call;
    const char *purpose = key_seal_purpose(call, creation->credential.credential_id);

    if (!purpose)
        return error_set(error, ERR_NO_MEMORY, "key: no memory");
    return seal(call->endpoints->seal_key, purpose, slice_from_cstring(creation->key.text),
                call->arena, ret_sealed, error);
}

/* Holds the instance, so that it is not deleted under the new key. */
static enum err insert(struct db *db, void *context, struct error *error)
{
    struct key_creation *creation = context;
    struct new_credential *credential = &creation->credential;
    struct instance_row *instance = &creation->instance;
    struct call *call = creation->call;
    struct slice sealed = SLICE_NULL;
    enum instance_phase phase, next;
    enum err rc = store_lock_instance(db, credential->account_id, credential->instance_id,
                                      call->arena, instance, error);

    if (rc != ERR_OK)
        return rc;
    if (phase_parse(instance->phase, &phase) != ERR_OK)
        return error_set(error, ERR_CORRUPT, "phase %s is not known", instance->phase);
    rc = lifecycle_next(phase, EVENT_ADD_KEY, instance->is_locked, &next, error);
    if (rc == ERR_GONE)
        return error_set(error, ERR_NOT_FOUND, "There is no such instance: source.");
    if (rc != ERR_OK)
        return rc;
    credential->is_onetime = instance->is_onetime;
    credential->sealed_key = SLICE_NULL;
    if (!credential->is_onetime || creation->idempotency.owner.key)
        rc = seal_key(creation, &sealed, error);
    if (!credential->is_onetime)
        credential->sealed_key = sealed;
    crn_format_key(instance->region_id, credential->account_id, credential->instance_id,
                   credential->credential_id, creation->crn);
    credential->crn = creation->crn;
    if (rc == ERR_OK)
        rc = store_insert_credential(db, credential, error);
    if (rc == ERR_OK)
        rc = call_audit(call, creation->crn, error);
    if (rc == ERR_OK)
        rc = idempotency_insert(call, &creation->idempotency, credential->credential_id, sealed,
                                error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_serve_key_create_before_commit, error) : rc;
}

static void create_wait(struct http_request *request);

static enum err reply_with_key(struct key_creation *creation, int status,
                               const struct credential_row *row, struct error *error)
{
    struct call *call = creation->call;
    json_t *credentials =
        render_credentials(row, creation->key.text, call->endpoints->ca_certificate_pem);

    if (!credentials)
        return error_set(error, ERR_NO_MEMORY, "key: no memory");
    http_reply_json(call->request, status, render_key(row, credentials, ""));
    return ERR_OK;
}

static enum err create_look(struct call *call, struct error *error)
{
    struct key_creation *creation = call->state;
    struct uuid credential_id = creation->credential.credential_id;
    struct credential_row row;
    enum err rc = store_load_credential(call->db, call->principal.account_id, credential_id,
                                        call->arena, &row, error);
    bool is_creating = rc == ERR_OK && strcmp(row.state, "creating") == 0;

    if (is_creating && !call->request->is_wait_over) {
        http_wait(call->request, credential_id, create_wait);
        return ERR_OK;
    }
    if (rc == ERR_OK && !is_creating && strcmp(row.state, "active") != 0)
        rc = error_set(error, ERR_CONFLICT, "The key was deleted before it could be used.");
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_serve_key_create_before_answer, error);
    if (rc == ERR_OK)
        rc = reply_with_key(creation, is_creating ? 202 : 201, &row, error);
    if (rc == ERR_OK)
        idempotency_keep_answer(call, &creation->idempotency);
    service_key_done(&creation->key);
    return rc;
}

static void create_wait(struct http_request *request)
{
    call_continue(request, create_look);
}

static enum err create_once(struct key_creation *creation, struct error *error)
{
    struct call *call = creation->call;
    json_t *body = NULL;
    enum err rc = http_json_body(call->request, &body, error);

    if (rc == ERR_OK)
        rc = read_body(creation, body, error);
    if (rc == ERR_OK)
        rc = make_key(creation, error);
    if (rc == ERR_OK)
        rc = db_transaction(call->db, insert, creation, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_serve_key_create_after_commit, error);
    json_decref(body);
    if (rc == ERR_OK)
        call_notify(call, creation->credential.credential_id);
    return rc;
}

/* The first call was not answered: this one goes on with the key that it made. */
static enum err take_up(struct key_creation *creation, struct error *error)
{
    struct call *call = creation->call;
    struct slice text = SLICE_NULL;

    creation->credential.credential_id = creation->idempotency.subject;
    const char *purpose = key_seal_purpose(call, creation->idempotency.subject);
    if (!purpose)
        return error_set(error, ERR_NO_MEMORY, "key: no memory");
    enum err rc = unseal(call->endpoints->seal_key, purpose, creation->idempotency.secret,
                         call->arena, &text, error);
    if (rc == ERR_OK && service_key_parse(text, &creation->key) != ERR_OK)
        rc = error_set(error, ERR_CORRUPT, "a kept service key is none");
    return rc;
}

static enum err create(struct call *call, struct error *error)
{
    struct key_creation *creation = arena_new(call->arena, struct key_creation);
    bool is_replied = false;

    if (!creation)
        return error_set(error, ERR_NO_MEMORY, "key: no memory");
    creation->call = call;
    call->state = creation;
    enum err rc = idempotency_begin(call, "keys", &creation->idempotency, &is_replied, error);
    if (rc == ERR_OK && !is_replied && !creation->idempotency.is_known)
        rc = create_once(creation, error);
    if (rc == ERR_EXISTS) /* the same call came at the same time */
        rc = idempotency_begin_again(call, &creation->idempotency, &is_replied, error);
    if (rc == ERR_OK && creation->idempotency.is_known)
        rc = take_up(creation, error);
    if (rc != ERR_OK || is_replied) {
        service_key_done(&creation->key);
        return rc;
    }
    return create_look(call, error);
}

void resource_keys_create(struct http_request *request)
{
    call_run(request, ROLE_MANAGER, "messagehub.credential.create", create);
}
