/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the provisioning folder as a program, so that tests can kill it. */
#include "controlplane/provisioning/verbs.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "provision") == 0)
        return provision_main(argv + 2);
    if (argc >= 2 && strcmp(argv[1], "stop-cells") == 0)
        return stop_cells_main(argv + 2);
    return 2;
}
