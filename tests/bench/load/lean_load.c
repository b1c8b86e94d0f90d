/* SPDX-License-Identifier: Apache-2.0 */
/* A load generator that costs next to nothing: one thread, record batches that were built before, answers that are
 * looked at for errors only. It speaks nothing but the public protocol, so that any server can be measured by it. */
#include <err.h>
#include <signal.h>
#include <string.h>

#include "tests/bench/load/loads.h"

static const struct {
    const char *name;
    void (*run)(const struct load_options *options);
} verbs[] = {
    {"produce", load_produce}, {"fetch", load_fetch}, {"e2e", load_end_to_end},
    {"first", load_first},     {"probe", load_probe}, {"connections", load_connections},
};

int main(int argc, char **argv)
{
    static struct load_options options;

    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL: it is to say why */
    load_options_read(&options, argc, argv);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, options.verb) == 0) {
            verbs[i].run(&options);
            return 0;
        }
    }
    errx(2, "%s: there is no such thing to do; --help says what there is", options.verb);
}
