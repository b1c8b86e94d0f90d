/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/provision_config.h"

#include <stddef.h>

const char *const provision_log_formats[] = {"text", "json", NULL};
const char *const provision_log_levels[] = {"debug", "info", "warn", "error", NULL};

#define FIELD(name) offsetof(struct provision_config, name)
#define TEXT(name, default_value, sentence)                                                        \
    {                                                                                              \
#name, OPTION_STRING, FIELD(name), default_value, 0, 0, "", NULL, false, sentence          \
    }
#define NUMBER(name, default_value, minimum, maximum, unit, sentence)                              \
    {                                                                                              \
#name, OPTION_I64, FIELD(name), default_value, minimum, maximum, unit, NULL, false,        \
            sentence                                                                               \
    }

const struct option provision_options[] = {
    TEXT(fleet, NULL,
         "libpq keywords of the fleet database: host=… dbname=fleet user=millrace_provision"),
    TEXT(cells, NULL, "libpq keywords of the cells database, same user"),
    {"password_file", OPTION_STRING, FIELD(password_file), "", 0, 0, "", NULL, true,
     "password of millrace_provision; empty when the server asks for none"},
    TEXT(broker_store, NULL,
         "libpq keywords by which brokers reach the cells database; user and password are added"),
    TEXT(state_dir, NULL, "absolute path below which brokers live, in cells/<cell>/<broker>"),
    TEXT(broker_program, NULL, "absolute path of millrace-broker"),
    TEXT(ca_certificate_file, NULL,
         "the fleet's CA (PEM); made when neither it nor its key is there"),
    {"ca_key_file", OPTION_STRING, FIELD(ca_key_file), NULL, 0, 0, "", NULL, true,
     "the CA's key (PEM, mode 0600)"},
    TEXT(listener_host, "localhost",
         "host name that clients are told; {broker} and {label} stand for the broker's id and the "
         "instance's label, both in the first label only: b{broker}-{label}.pool.example"),
    TEXT(bind, "auto",
         "addresses brokers listen on, comma-separated; auto = 127.0.0.1, and ::1 if there"),
    TEXT(http_url, "https://localhost", "base of the REST URLs in credentials: https://HOST:PORT"),
    NUMBER(port_first, "20000", 1024, 65535, "", "first port for brokers"),
    NUMBER(port_last, "65535", 1024, 65535, "",
           "last port for brokers; lowered to below the range for outgoing connections"),
    NUMBER(shared_cell_brokers, "1", 1, 3, "", "brokers of a new shared cell: 1 or 3"),
    NUMBER(shared_cell_instances, "1000", 1, 100000, "",
           "instances on a shared cell before another one is made"),
    NUMBER(broker_loops, "2", 1, 64, "", "event loops of a broker"),
    NUMBER(workers, "6", 1, 16, "", "threads; each holds two connections to the store"),
    TEXT(metrics_addresses, "127.0.0.1", "loopback addresses for /metrics, plain HTTP"),
    NUMBER(metrics_port, "0", 0, 65535, "", "TCP port of /metrics; 0 = not served"),
    NUMBER(create_timeout_ms, "600000", 1000, 86400000, "ms",
           "after which an instance that cannot be made has failed"),
    NUMBER(lease_ms, "5000", 100, 600000, "ms",
           "how long a replica that says nothing keeps what it works on from the others"),
    NUMBER(poll_ms, "1000", 10, 60000, "ms", "how often all that is not as it should be is listed"),
    TEXT(failpoint_file, "", "for tests: a file that may stop this process; empty = none"),
    {"log_format", OPTION_ENUM, FIELD(log_format), "text", 0, 0, "", provision_log_formats, false,
     "text or json; brokers log in the same format"},
    {"log_level", OPTION_ENUM, FIELD(log_level), "info", 0, 0, "", provision_log_levels, false,
     "debug, info, warn or error; brokers log at the same level"},
    {.name = NULL},
};
