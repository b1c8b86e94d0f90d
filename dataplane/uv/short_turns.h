/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATAPLANE_UV_SHORT_TURNS_H
#define DATAPLANE_UV_SHORT_TURNS_H

/* Asks the kernel to give the calling thread its core in short turns. It gets no more of the core than others, but gets it soon
 * after it is woken: a thread with a longer turn is put aside for it, and not left alone until the next tick of the
 * clock (4 ms where it ticks 250 times a second).
 * For threads that others wait for and that work in small pieces. The policy and the nice value stay as they are. A kernel
 * that cannot do it (before Linux 6.12) or does not allow it leaves everything as it is. */
void take_short_turns(void);

#endif
