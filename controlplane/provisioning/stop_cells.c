/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace-controlplane stop-cells`: stops every broker below a state directory, and nothing else. It asks no
 * database, so it works when PostgreSQL is down; stop `provision` first, or it starts them again. */
#include "common/port/clock.h"
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/process_driver.h"
#include "controlplane/provisioning/provision_config.h"
#include "controlplane/provisioning/verb_options.h"
#include "controlplane/provisioning/verbs.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { TERM_PATIENCE_MS = 35000, KILL_PATIENCE_MS = 5000, POLL_MS = 20 };

/* Sends the signal to every supervisor below `cells` (0 = only count). Returns how many there are. */
static int signal_all(const char *cells, int signal_number)
{
    DIR *cell_stream = opendir(cells);
    struct dirent *cell = NULL;
    int count = 0;

    while (cell_stream != NULL && (cell = readdir(cell_stream)) != NULL) {
        char path[PATH_ROOM];
        struct dirent *broker = NULL;
        DIR *broker_stream = NULL;

        if (cell->d_name[0] != '.' &&
            path_format(path, NULL, "%s/%s", cells, cell->d_name) == ERR_OK)
            broker_stream = opendir(path);
        while (broker_stream != NULL && (broker = readdir(broker_stream)) != NULL) {
            struct error error;

            if (broker->d_name[0] == '.' ||
                path_format(path, NULL, "%s/%s/%s", cells, cell->d_name, broker->d_name) != ERR_OK)
                continue;
            if (!process_driver_is_running(path))
                continue;
            count++;
            if (signal_number != 0 && process_driver_signal(path, signal_number, &error) != ERR_OK)
                fprintf(stderr, "millrace-controlplane stop-cells: %s\n", error.message);
        }
        if (broker_stream != NULL)
            closedir(broker_stream);
    }
    if (cell_stream != NULL)
        closedir(cell_stream);
    return count;
}

/* True when none is left in time. */
static bool wait_until_stopped(const char *cells, int64_t patience_ms)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + patience_ms * 1000;

    while (signal_all(cells, 0) > 0) {
        if (clock_monotonic_us(&system_clock) >= until_us)
            return false;
        poll(NULL, 0, POLL_MS);
    }
    return true;
}

int stop_cells_main(char *const *args)
{
    struct provision_config config;
    char cells[PATH_ROOM];

    switch (verb_options_load("stop-cells", provision_options, &config, args)) {
    case VERB_GO_ON:
        break;
    case VERB_HELPED:
        return EXIT_SUCCESS;
    case VERB_REFUSED:
        return EXIT_FAILURE;
    }
    bool is_stopped = false;
    if (path_format(cells, NULL, "%s/cells", config.state_dir) == ERR_OK) {
        signal_all(cells, SIGTERM);
        is_stopped = wait_until_stopped(cells, TERM_PATIENCE_MS);
        if (!is_stopped) {
            signal_all(cells, SIGKILL);
            is_stopped = wait_until_stopped(cells, KILL_PATIENCE_MS);
        }
    }
    if (!is_stopped)
        fprintf(stderr,
                "millrace-controlplane stop-cells: a broker below %s did not stop; see its "
                "broker.log\n",
                config.state_dir);
    option_table_done(provision_options, &config);
    return is_stopped ? EXIT_SUCCESS : EXIT_FAILURE;
}
