/* SPDX-License-Identifier: Apache-2.0 */
/* Handles of librdkafka that log in over SASL_SSL with the API key, CA and host name verified. */
#ifndef TESTS_CLIENTS_LIBRDKAFKA_CLIENT_H
#define TESTS_CLIENTS_LIBRDKAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

void expect_no_error(rd_kafka_resp_err_t err, const char *what);

void set_option(rd_kafka_conf_t *conf, const char *name, const char *value);
rd_kafka_conf_t *login_options(void);
rd_kafka_t *client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf);

#endif
