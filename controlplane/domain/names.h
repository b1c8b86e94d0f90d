/* SPDX-License-Identifier: Apache-2.0 */
/* What may be called what. Names of instances and keys are shown, never used as file or database names. */
#ifndef CONTROLPLANE_DOMAIN_NAMES_H
#define CONTROLPLANE_DOMAIN_NAMES_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/port/random.h"

#define NAME_MAX_CHARS 180
#define HOST_LABEL_LEN 16
#define ACCOUNT_ID_LEN 32

/* 1 to 180 characters: letters and digits of any script, space - . _ : ; valid UTF-8. what begins the message:
 * "name", "name of the key". */
enum err name_check(const char *what, struct slice name, struct error *error) WARN_UNUSED;
/* One DNS label of an instance: a letter, then 15 letters or digits, from 77 random bits. */
enum err host_label_generate(struct random *random, char ret_label[HOST_LABEL_LEN + 1]) WARN_UNUSED;
/* 32 lower-case hex digits: ids of accounts and resource groups. */
bool account_id_is_valid(const char *text);

#endif
