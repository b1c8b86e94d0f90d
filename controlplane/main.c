/* SPDX-License-Identifier: Apache-2.0 */
/* millrace-controlplane: one program, one verb each for what it does. Options: `<verb> --help`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/bootstrap.h"
#include "controlplane/provisioning/verbs.h"
#include "controlplane/service.h"

static const struct {
    const char *name;
    int (*run)(char *const *args);
    const char *sentence;
} verbs[] = {
    {"migrate", migrate_main, "make databases, roles and schema, or bring them up to date"},
    {"bootstrap", bootstrap_main, "make the first account, its operator's key and the sealing key"},
    {"serve", serve_main, "answer REST"},
    {"provision", provision_main, "bring the cells to what is desired, and keep them there"},
    {"stop-cells", stop_cells_main, "stop every broker of a state directory"},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void print_usage(FILE *out)
{
    fprintf(out, "usage: millrace-controlplane VERB [--config FILE] [--name value …]\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].sentence);
    fprintf(out, "\nOptions of a verb: millrace-controlplane VERB --help\nVersion: %s\n",
            MILLRACE_VERSION);
}

int main(int count, char **args)
{
    if (count >= 2 && (strcmp(args[1], "--help") == 0 || strcmp(args[1], "help") == 0)) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    if (count >= 2 && strcmp(args[1], "--version") == 0) {
        printf("millrace-controlplane %s\n", MILLRACE_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; count >= 2 && i < VERB_COUNT; i++)
        if (strcmp(args[1], verbs[i].name) == 0)
            return verbs[i].run(args + 2);
    if (count >= 2)
        fprintf(stderr, "millrace-controlplane: there is no verb \"%s\"\n\n", args[1]);
    print_usage(stderr);
    return EXIT_FAILURE;
}
