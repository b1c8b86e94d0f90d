/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody waits for goes before what can wait.
 *
 * A device does many things side by side, or one after the other, but it does not know who is in a hurry: a write or a
 * sync that comes while old records are read waits behind each piece of them. So who can wait gives way while a hurry is
 * under way. Hurries of several threads may follow each other without a gap: nobody gives way for longer than
 * patience lasts.
 *
 * Any thread may call anything but init and done. */
#ifndef COMMON_PORT_RIGHT_OF_WAY_H
#define COMMON_PORT_RIGHT_OF_WAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct right_of_way {
    int64_t patience_us;
    pthread_mutex_t lock;
    pthread_cond_t is_clear;
    /* under it: */
    int hurries;   /* under way */
    int64_t given; /* how often somebody gave way */
};

void right_of_way_init(struct right_of_way *way, int64_t patience_us);
/* Nobody is in a hurry, nobody gives way. */
void right_of_way_done(struct right_of_way *way);
/* In pairs; those of several threads overlap. */
void right_of_way_begin(struct right_of_way *way);
void right_of_way_end(struct right_of_way *way);
bool right_of_way_is_taken(struct right_of_way *way);
/* Blocking, until no hurry is under way or patience ends. */
void right_of_way_give(struct right_of_way *way);
int64_t right_of_way_given(struct right_of_way *way);

#endif
