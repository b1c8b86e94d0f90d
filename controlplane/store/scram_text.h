/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of database roles as PostgreSQL keeps them: SCRAM-SHA-256$<iterations>:<salt>$<stored>:<server>. */
#ifndef CONTROLPLANE_STORE_SCRAM_TEXT_H
#define CONTROLPLANE_STORE_SCRAM_TEXT_H

#include "common/base/error.h"
#include "common/base/slice.h"

#define SCRAM_TEXT_ROOM 256

/* password: plain ASCII (SASLprep would leave it as it is). */
enum err scram_text(struct slice password, char text[SCRAM_TEXT_ROOM],
                    struct error *error) WARN_UNUSED;

#endif
