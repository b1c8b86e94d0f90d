/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/clients/librdkafka/client.h"

#include "tests/clients/librdkafka/check.h"

void expect_no_error(rd_kafka_resp_err_t err, const char *what)
{
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("%s: %s", what, rd_kafka_err2str(err));
}

void set_option(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        fail("%s = %s: %s", name, value, why);
}

rd_kafka_conf_t *login_options(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    set_option(conf, "bootstrap.servers", environment("MILLRACE_BOOTSTRAP"));
    set_option(conf, "security.protocol", "SASL_SSL");
    set_option(conf, "sasl.mechanism", "PLAIN");
    set_option(conf, "sasl.username", "token");
    set_option(conf, "sasl.password", environment("MILLRACE_API_KEY"));
    set_option(conf, "ssl.ca.location", environment("MILLRACE_CA_FILE"));
    set_option(conf, "ssl.endpoint.identification.algorithm", "https");
    return conf;
}

rd_kafka_t *client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char why[256];
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof(why));

    if (client == NULL)
        fail("%s", why);
    return client;
}
