/* SPDX-License-Identifier: Apache-2.0 */
/* What a load is asked to be. */
#ifndef TESTS_BENCH_LOAD_LOAD_OPTIONS_H
#define TESTS_BENCH_LOAD_LOAD_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

struct load_options {
    const char *verb;
    char host[64]; /* an IPv4 address */
    int port;
    const char *ca_file; /* NULL = without TLS */
    const char *user;    /* SASL PLAIN; NULL = without */
    char password[256];
    const char *topic;
    int32_t partitions;
    int record_bytes; /* of a value */
    int batch_bytes;  /* at most */
    int batches;      /* in a request, each of another partition */
    int connections;
    int in_flight; /* requests of a connection */
    int acks;
    int64_t rate; /* bytes of batches a second; 0 = as fast as it goes */
    int64_t warm_up_ns;
    int64_t measured_ns;
    int64_t bytes; /* the load ends after so many; 0 = by time */
    int32_t answer_bytes;
    int32_t partition_bytes;
    const char *directory;
};

/* Ends the process with a message when they are wrong, or after --help. */
void load_options_read(struct load_options *options, int argc, char **argv);

#endif
