/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/verb_options.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 200 };

enum verb_start verb_options_load(const char *verb, const struct option *table, void *config,
                                  char *const *args)
{
    static const char config_option[] = "--config";
    const char *file = NULL;
    char *rest[MAX_ARGS + 1];
    int count = 0;
    struct error error;

    for (; args != NULL && *args != NULL; args++) {
        size_t len = sizeof(config_option) - 1;

        if (strcmp(*args, "--help") == 0) {
            printf("usage: millrace-controlplane %s [--config FILE] [--name value …]\n\n", verb);
            option_table_help(table, stdout);
            return VERB_HELPED;
        }
        if (strncmp(*args, config_option, len) == 0 && (*args)[len] == '=') {
            file = *args + len + 1;
        } else if (strcmp(*args, config_option) == 0 && args[1] != NULL) {
            file = *++args;
        } else if (count < MAX_ARGS) {
            rest[count++] = *args;
        } else {
            fprintf(stderr, "millrace-controlplane %s: more than %d arguments\n", verb, MAX_ARGS);
            return VERB_REFUSED;
        }
    }
    rest[count] = NULL;
    if (option_table_load(table, config, file, rest, &error) == ERR_OK)
        return VERB_GO_ON;
    fprintf(stderr, "millrace-controlplane %s: %s\n", verb, error.message);
    return VERB_REFUSED;
}
