/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the sealing key, the private CA with the REST certificate, the account with its resource group, and the
 * operator's API key; with plaintext_port also the development instance that has a listener without TLS. Repeats nothing that is there, so it may run at every start.
 * Prints the ids as one JSON object on standard output.
 *
 * The operator's key lives in a file of mode 0600: read when it is there, else generated into it. The store gets
 * the verifier. Run as the administrator of the database, after `migrate`. */
#include "controlplane/bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crypto/encoding.h"
#include "common/crypto/secret.h"
#include "common/crypto/service_key.h"
#include "controlplane/domain/crn.h"
#include "controlplane/domain/names.h"
#include "controlplane/identity/seal.h"
#include "controlplane/provisioning/fleet_ca.h"
#include "controlplane/provisioning/verb_options.h"
#include "controlplane/store/catalog.h"
#include "controlplane/store/instances.h"
#include "controlplane/store/transaction.h"

#define CONNECT_TIMEOUT_MS 10000
#define STATEMENT_TIMEOUT_MS 30000
#define ARENA_MAX_BYTES (1 << 20)
#define MAX_PLANS 16
#define PLAINTEXT_PLAN "millrace.plaintext"
#define PLAINTEXT_NAME "plaintext"
#define OPERATOR "bootstrap"

struct bootstrap_config {
    const char *admin, *admin_password_file, *fleet_database;
    const char *sealing_key_file, *operator_key_file;
    const char *ca_certificate_file, *ca_key_file, *certificate_file, *key_file, *host;
    const char *account_name, *region;
    int64_t plaintext_port;
};

#define FIELD(name) offsetof(struct bootstrap_config, name)
static const struct option options[] = {
    {"admin", OPTION_STRING, FIELD(admin), NULL, 0, 0, "", NULL, false,
     "libpq keywords of a superuser's connection, without dbname: host=/run/postgresql "
     "user=postgres"},
    {"admin_password_file", OPTION_STRING, FIELD(admin_password_file), "", 0, 0, "", NULL, true,
     "its password; empty when the server asks for none"},
    {"fleet_database", OPTION_STRING, FIELD(fleet_database), "fleet", 0, 0, "", NULL, false,
     "the control plane's database"},
    {"sealing_key_file", OPTION_STRING, FIELD(sealing_key_file), NULL, 0, 0, "", NULL, true,
     "made if it is not there; back it up apart from the database"},
    {"operator_key_file", OPTION_STRING, FIELD(operator_key_file), NULL, 0, 0, "", NULL, true,
     "the operator's API key: read if it is there, else generated"},
    {"ca_certificate_file", OPTION_STRING, FIELD(ca_certificate_file), NULL, 0, 0, "", NULL, false,
     "PEM certificate of the private CA; made if it is not there"},
    {"ca_key_file", OPTION_STRING, FIELD(ca_key_file), NULL, 0, 0, "", NULL, true,
     "PEM key of the private CA; `serve` never reads it"},
    {"certificate_file", OPTION_STRING, FIELD(certificate_file), NULL, 0, 0, "", NULL, false,
     "PEM chain for REST; issued when missing or past two thirds of its days, unless another CA "
     "signed it"},
    {"key_file", OPTION_STRING, FIELD(key_file), NULL, 0, 0, "", NULL, true, "its PEM key"},
    {"host", OPTION_STRING, FIELD(host), "localhost", 0, 0, "", NULL, false,
     "DNS name of REST, in its certificate"},
    {"account_name", OPTION_STRING, FIELD(account_name), "Millrace", 0, 0, "", NULL, false,
     "name of the first account"},
    {"region", OPTION_STRING, FIELD(region), "global", 0, 0, "", NULL, false, "as in serve"},
    {"plaintext_port", OPTION_I64, FIELD(plaintext_port), "0", 0, 65534, "", NULL, false,
     "development only: an instance with a loopback listener without TLS on this port and SASL on "
     "the next; 0 = none"},
    {.name = NULL},
};
#undef FIELD

struct bootstrap {
    struct bootstrap_config config;
    struct arena arena;
    const char *account_id, *resource_group_id;
    struct service_key operator_key;
    struct uuid plaintext_instance; /* zero = none */
    struct plan_row plans[MAX_PLANS];
    int plan_count;
};

/* ---- the operator's key ---- */

static enum err write_key_file(const char *path, const struct service_key *key, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set(error, err_from_errno(errno), "create %s: %s", path, strerror(errno));
    bool is_written = dprintf(fd, "%s\n", key->text) == KEY_TEXT_LEN + 1 && fsync(fd) == 0;
    close(fd);
    if (is_written)
        return ERR_OK;
    unlink(path);
    return error_set(error, ERR_IO, "write %s failed", path);
}

static enum err read_key_file(const char *path, struct service_key *ret_key, struct error *error)
{
    struct secret text;
    enum err rc = secret_read_file(path, &text, error);

    if (rc != ERR_OK)
        return rc;
    rc = service_key_parse(slice_of(text.bytes, text.len), ret_key);
    secret_done(&text);
    if (rc != ERR_OK || ret_key->kind != KEY_ACCOUNT)
        return error_set(error, ERR_INVALID, "%s holds no account key (mlo_…)", path);
    return ERR_OK;
}

static enum err ensure_key_file(struct bootstrap *bootstrap, struct error *error)
{
    const char *path = bootstrap->config.operator_key_file;

    if (access(path, F_OK) == 0)
        return read_key_file(path, &bootstrap->operator_key, error);
    if (service_key_generate(&system_random, KEY_ACCOUNT, &bootstrap->operator_key) != ERR_OK)
        return error_set(error, ERR_UNAVAILABLE, "no randomness for the operator's key");
    return write_key_file(path, &bootstrap->operator_key, error);
}

/* ---- rows ---- */

static enum err random_text(struct arena *arena, const char *format_prefix, size_t bytes,
                            const char **ret_text, struct error *error)
{
    uint8_t random[16];
    char text[2 * sizeof(random) + 1];
    enum err rc = random_fill(&system_random, random, bytes);

    if (rc != ERR_OK)
        return error_set(error, rc, "no randomness for an id");
    hex_encode(random, bytes, text);
    *ret_text = arena_printf(arena, "%s%s", format_prefix, text);
    return *ret_text ? ERR_OK : error_set(error, ERR_NO_MEMORY, "bootstrap: no memory");
}

static enum err ensure_account(struct bootstrap *bootstrap, struct db *db, struct error *error)
{
    struct arena *arena = &bootstrap->arena;
    enum err rc = store_load_first_account(db, arena, &bootstrap->account_id,
                                           &bootstrap->resource_group_id, error);

    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = random_text(arena, "", 16, &bootstrap->account_id, error);
    if (rc == ERR_OK)
        rc = random_text(arena, "", 16, &bootstrap->resource_group_id, error);
    if (rc == ERR_OK)
        rc = store_ensure_account(db, bootstrap->account_id, bootstrap->config.account_name, error);
    if (rc == ERR_OK)
        rc = store_ensure_resource_group(db, bootstrap->resource_group_id, bootstrap->account_id,
                                         "Default", error);
    return rc;
}

static enum err ensure_operator(struct bootstrap *bootstrap, struct db *db, struct error *error)
{
    char guid[UUID_TEXT_LEN + 1];
    struct uuid uuid;

    if (uuid_generate(&system_random, &uuid) != ERR_OK)
        return error_set(error, ERR_UNAVAILABLE, "no randomness for an id");
    uuid_format(uuid, guid);
    const char *iam_id = arena_printf(&bootstrap->arena, "iam-ServiceId-%s", guid);
    if (!iam_id)
        return error_set(error, ERR_NO_MEMORY, "bootstrap: no memory");
    struct account_key_row key = {
        .key_id = bootstrap->operator_key.id,
        .account_id = bootstrap->account_id,
        .name = "operator",
        .iam_id = iam_id,
        .role = "Manager",
        .verifier = slice_of(bootstrap->operator_key.verifier, KEY_VERIFIER_LEN),
    };
    return store_ensure_account_key(db, &key, OPERATOR, error);
}

static enum err insert_plaintext(struct bootstrap *bootstrap, struct db *db,
                                 struct uuid instance_id, struct error *error)
{
    char label[HOST_LABEL_LEN + 1], crn[CRN_MAX_LEN + 1], target_crn[CRN_MAX_LEN + 1];
    const struct bootstrap_config *config = &bootstrap->config;
    struct plan_row plan;
    enum err rc = store_load_plan(db, PLAINTEXT_PLAN, &bootstrap->arena, &plan, error);

    if (rc == ERR_OK)
        rc = host_label_generate(&system_random, label);
    if (rc != ERR_OK)
        return rc;
    crn_format_instance(config->region, bootstrap->account_id, instance_id, crn);
    crn_format_deployment(PLAINTEXT_PLAN, config->region, target_crn);
    struct new_instance instance = {
        .instance_id = instance_id,
        .account_id = bootstrap->account_id,
        .resource_group_id = bootstrap->resource_group_id,
        .plan_id = PLAINTEXT_PLAN,
        .name = PLAINTEXT_NAME,
        .label = label,
        .crn = crn,
        .region_id = config->region,
        .target_crn = target_crn,
        .is_dedicated = plan.is_dedicated,
        .limits = plan.limits,
        .topic_settings = plan.topic_settings,
        .internal_partitions = plan.internal_partitions,
        .internal_visible = plan.internal_visible,
        .plaintext_port = config->plaintext_port,
        .parameters = "{}",
        .created_by = OPERATOR,
    };
    struct new_operation operation = {
        .account_id = bootstrap->account_id,
        .instance_id = instance_id,
        .type = "create",
        .state = "in progress",
        .description = "Provisioning.",
        .request_id = OPERATOR,
        .created_by = OPERATOR,
    };
    rc = store_insert_instance(db, &instance, error);
    return rc == ERR_OK ? store_insert_operation(db, &operation, error) : rc;
}

static enum err ensure_plaintext(struct bootstrap *bootstrap, struct db *db, struct error *error)
{
    struct instance_filter filter = {
        .account_id = bootstrap->account_id,
        .plan_id = PLAINTEXT_PLAN,
        .phases = "creating,ready,updating",
        .limit = 1,
    };
    struct instance_row *rows = NULL;
    int count = 0;
    enum err rc = store_list_instances(db, &filter, &bootstrap->arena, &rows, &count, error);

    if (rc != ERR_OK)
        return rc;
    if (count > 0) {
        bootstrap->plaintext_instance = rows[0].instance_id;
        return ERR_OK;
    }
    if (bootstrap->config.plaintext_port == 0)
        return ERR_OK;
    if (uuid_generate(&system_random, &bootstrap->plaintext_instance) != ERR_OK)
        return error_set(error, ERR_UNAVAILABLE, "no randomness for an id");
    return insert_plaintext(bootstrap, db, bootstrap->plaintext_instance, error);
}

static enum err ensure_rows(struct db *db, void *context, struct error *error)
{
    struct bootstrap *bootstrap = context;
    enum err rc = ensure_account(bootstrap, db, error);

    if (rc == ERR_OK)
        rc = ensure_operator(bootstrap, db, error);
    if (rc == ERR_OK)
        rc = ensure_plaintext(bootstrap, db, error);
    if (rc == ERR_OK)
        rc = store_list_plans(db, &bootstrap->arena, bootstrap->plans, MAX_PLANS,
                              &bootstrap->plan_count, error);
    return rc;
}

/* ---- the verb ---- */

static enum err ensure_certificates(const struct bootstrap_config *config, struct error *error)
{
    const char *const names[] = {config->host, NULL};
    struct fleet_ca ca;
    enum err rc = fleet_ca_open(config->ca_certificate_file, config->ca_key_file, &ca, error);

    if (rc != ERR_OK)
        return rc;
    rc = fleet_ca_keep_leaf(&ca, "millrace-controlplane", names, config->certificate_file,
                            config->key_file, error);
    fleet_ca_done(&ca);
    return rc;
}

static enum err run(struct bootstrap *bootstrap, struct error *error)
{
    const struct bootstrap_config *config = &bootstrap->config;
    const char *conninfo =
        arena_printf(&bootstrap->arena, "%s dbname=%s", config->admin, config->fleet_database);
    struct db_config db_config = {.conninfo = conninfo,
                                  .password_file = config->admin_password_file,
                                  .application_name = "millrace bootstrap",
                                  .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                  .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    struct db *db = NULL;

    if (!conninfo)
        return error_set(error, ERR_NO_MEMORY, "bootstrap: no memory");
    enum err rc = seal_key_ensure(config->sealing_key_file, error);
    if (rc == ERR_OK)
        rc = ensure_certificates(config, error);
    if (rc == ERR_OK)
        rc = ensure_key_file(bootstrap, error);
    if (rc == ERR_OK)
        rc = db_open(&db_config, &db, error);
    if (rc == ERR_OK)
        rc = db_transaction(db, ensure_rows, bootstrap, error);
    db_close(db);
    return rc;
}

static void print_result(const struct bootstrap *bootstrap)
{
    char guid[UUID_TEXT_LEN + 1];
    json_t *plans = json_object(), *result = NULL;

    uuid_format(bootstrap->plaintext_instance, guid);
    for (int i = 0; i < bootstrap->plan_count; i++)
        json_object_set_new(plans, bootstrap->plans[i].name,
                            json_string(bootstrap->plans[i].plan_id));
    result = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s?}", "account_id", bootstrap->account_id,
                       "resource_group_id", bootstrap->resource_group_id, "target",
                       bootstrap->config.region, "operator_key_file",
                       bootstrap->config.operator_key_file, "plans", plans, "plaintext_instance_id",
                       uuid_is_zero(bootstrap->plaintext_instance) ? NULL : guid);
    json_dumpf(result, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(result);
}

int bootstrap_main(char *const *args)
{
    struct bootstrap bootstrap = {.account_id = NULL};
    struct error error = {.code = ERR_OK};

    switch (verb_options_load("bootstrap", options, &bootstrap.config, args)) {
    case VERB_GO_ON:
        break;
    case VERB_HELPED:
        return EXIT_SUCCESS;
    case VERB_REFUSED:
        return EXIT_FAILURE;
    }
    arena_init(&bootstrap.arena, ARENA_MAX_BYTES);
    enum err rc = run(&bootstrap, &error);
    if (rc == ERR_OK)
        print_result(&bootstrap);
    else
        fprintf(stderr, "millrace-controlplane bootstrap: %s\n", error.message);
    service_key_done(&bootstrap.operator_key);
    arena_done(&bootstrap.arena);
    option_table_done(options, &bootstrap.config);
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
