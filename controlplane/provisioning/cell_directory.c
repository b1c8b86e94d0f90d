/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/cell_directory.h"

#include "common/base/buffer.h"
#include "common/crypto/encoding.h"
#include "controlplane/provisioning/listener_host.h"
#include "controlplane/provisioning/ports.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASSWORD_BYTES = 32, CONFIG_MAX_BYTES = 65536 };

enum err cell_directory_path(const struct provision_config *config, struct uuid cell_id,
                             int64_t broker_id, char path[PATH_ROOM], struct error *error)
{
    char cell[UUID_TEXT_LEN + 1];

    uuid_format(cell_id, cell);
    if (broker_id < 0)
        return path_format(path, error, "%s/cells/%s", config->state_dir, cell);
    return path_format(path, error, "%s/cells/%s/%lld", config->state_dir, cell,
                       (long long)broker_id);
}

/* ---- the password of the cell's database role ---- */

static enum err password_path(const struct provision_config *config, struct uuid cell_id,
                              char path[PATH_ROOM], struct error *error)
{
    char cell[UUID_TEXT_LEN + 1];

    uuid_format(cell_id, cell);
    return path_format(path, error, "%s/cells/%s/store_password", config->state_dir, cell);
}

bool cell_directory_has_password(const struct provision_config *config, struct uuid cell_id)
{
    char path[PATH_ROOM];

    return password_path(config, cell_id, path, NULL) == ERR_OK && file_exists(path);
}

/* Under a name of its own first; the link gives it the one name unless somebody was faster. */
static enum err make_password(const char *path, struct error *error)
{
    uint8_t bytes[PASSWORD_BYTES];
    char text[2 * PASSWORD_BYTES + 1], own[PATH_ROOM], id[UUID_TEXT_LEN + 1];
    struct uuid uuid;

    if (random_fill(&system_random, bytes, sizeof(bytes)) != ERR_OK ||
        uuid_generate(&system_random, &uuid) != ERR_OK)
        return error_set(error, ERR_INTERNAL, "no random numbers");
    uuid_format(uuid, id);
    hex_encode(bytes, sizeof(bytes), text);
    enum err rc = path_format(own, error, "%s.%s", path, id);
    if (rc == ERR_OK)
        rc = file_replace(own, slice_from_cstring(text), 0600, error);
    if (rc == ERR_OK && link(own, path) != 0 && errno != EEXIST)
        rc = error_set(error, err_from_errno(errno), "link %s: %s", path, strerror(errno));
    if (rc == ERR_OK)
        (void)unlink(own); /* what stays goes with the cell */
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

enum err cell_directory_keep_password(const struct provision_config *config, struct uuid cell_id,
                                      struct secret *ret_password, struct error *error)
{
    char path[PATH_ROOM];
    enum err rc = cell_directory_path(config, cell_id, -1, path, error);

    if (rc == ERR_OK)
        rc = directory_make(path, error);
    if (rc == ERR_OK)
        rc = password_path(config, cell_id, path, error);
    if (rc == ERR_OK && !file_exists(path))
        rc = make_password(path, error);
    return rc == ERR_OK ? secret_read_file(path, ret_password, error) : rc;
}

/* ---- what a broker starts from ---- */

/* The comma list of the configuration with "auto" resolved. */
static const char *bind_addresses(const struct provision_config *config)
{
    if (strcmp(config->bind, "auto") != 0)
        return config->bind;
    return host_has_ipv6_loopback() ? "127.0.0.1,::1" : "127.0.0.1";
}

static enum err write_config(const struct provision_config *config, struct uuid cell_id,
                             const struct provision_cell *cell, int64_t broker_id,
                             const char *directory, struct error *error)
{
    char id[UUID_TEXT_LEN + 1];
    char password_file[PATH_ROOM];
    char path[PATH_ROOM];
    struct buffer text;
    enum err rc = password_path(config, cell_id, password_file, error);

    if (rc == ERR_OK)
        rc = path_format(path, error, "%s/broker.conf", directory);
    if (rc != ERR_OK)
        return rc;
    uuid_format(cell_id, id);
    buffer_init(&text, CONFIG_MAX_BYTES);
    rc = buffer_printf(
        &text,
        "# Written by the process driver; changes are overwritten. All else comes from the store.\n"
        "store = %s user=%s\n"
        "store_password_file = %s\n"
        "cell_id = %s\n"
        "broker_id = %lld\n"
        "data_dir = %s/data\n"
        "tls_certificate_file = %s/tls.crt\n"
        "tls_key_file = %s/tls.key\n"
        "bind = %s\n"
        "metrics_port = %lld\n"
        "log_format = %s\n"
        "log_level = %s\n"
        "loops = %lld\n",
        config->broker_store, cell->role_name, password_file, id, (long long)broker_id, directory,
        directory, directory, bind_addresses(config), (long long)cell->ports[broker_id].metrics,
        provision_log_formats[config->log_format], provision_log_levels[config->log_level],
        (long long)config->broker_loops);
    if (rc == ERR_OK)
        rc = file_keep(path, buffer_slice(&text), 0640, error);
    else
        error_set(error, rc, "%s: configuration does not fit", path);
    buffer_done(&text);
    return rc;
}

static enum err certificate_paths(const struct provision_config *config, struct uuid cell_id,
                                  int64_t broker_id, char certificate_file[PATH_ROOM],
                                  char key_file[PATH_ROOM], struct error *error)
{
    char directory[PATH_ROOM];
    enum err rc = cell_directory_path(config, cell_id, broker_id, directory, error);

    if (rc == ERR_OK)
        rc = path_format(certificate_file, error, "%s/tls.crt", directory);
    if (rc == ERR_OK)
        rc = path_format(key_file, error, "%s/tls.key", directory);
    return rc;
}

bool cell_directory_has_fresh_certificate(const struct provision_config *config,
                                          const struct fleet_ca *ca, struct uuid cell_id,
                                          int64_t broker_id)
{
    char certificate_file[PATH_ROOM];
    char key_file[PATH_ROOM];
    struct error error;

    return certificate_paths(config, cell_id, broker_id, certificate_file, key_file, &error) ==
               ERR_OK &&
           fleet_ca_is_leaf_fresh(ca, certificate_file, key_file);
}

enum err cell_directory_keep_certificate(const struct provision_config *config,
                                         const struct fleet_ca *ca, struct uuid cell_id,
                                         const struct provision_cell *cell, int64_t broker_id,
                                         struct error *error)
{
    char certificate_file[PATH_ROOM];
    char key_file[PATH_ROOM];
    char common_name[64];
    char server_name[LISTENER_HOST_ROOM];
    const char *const names[] = {server_name, NULL};
    enum err rc = certificate_paths(config, cell_id, broker_id, certificate_file, key_file, error);

    if (rc == ERR_OK)
        rc = listener_host_for_certificate(config->listener_host, server_name, error);
    if (rc != ERR_OK)
        return rc;
    snprintf(common_name, sizeof(common_name), "Millrace cell %lld broker %lld",
             (long long)cell->cell_no, (long long)broker_id);
    return fleet_ca_keep_leaf(ca, common_name, names, certificate_file, key_file, error);
}

enum err cell_directory_prepare_broker(const struct provision_config *config,
                                       const struct fleet_ca *ca, struct uuid cell_id,
                                       const struct provision_cell *cell, int64_t broker_id,
                                       struct error *error)
{
    char directory[PATH_ROOM];
    char data[PATH_ROOM];
    enum err rc = cell_directory_path(config, cell_id, broker_id, directory, error);

    if (rc == ERR_OK)
        rc = path_format(data, error, "%s/data", directory);
    if (rc == ERR_OK)
        rc = directory_make(data, error);
    if (rc == ERR_OK)
        rc = cell_directory_keep_certificate(config, ca, cell_id, cell, broker_id, error);
    if (rc == ERR_OK)
        rc = write_config(config, cell_id, cell, broker_id, directory, error);
    return rc;
}

enum err cell_directory_remove(const struct provision_config *config, struct uuid cell_id,
                               struct error *error)
{
    char path[PATH_ROOM];
    enum err rc = cell_directory_path(config, cell_id, -1, path, error);

    return rc == ERR_OK ? directory_remove(path, error) : rc;
}
