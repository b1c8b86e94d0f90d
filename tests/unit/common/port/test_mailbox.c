/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/list.h"
#include "common/port/mailbox.h"
#include "tests/support/check_main.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { SENDERS = 3, MAILS = 20000 };

struct numbered {
    struct mail mail;
    int sender;
    int number;
};

static struct mailbox box;
static struct numbered mails[SENDERS][MAILS];
static int last[SENDERS];
static int delivered;
static bool in_order;

static void on_mail(struct mail *mail)
{
    struct numbered *numbered = container_of(mail, struct numbered, mail);

    in_order = in_order && numbered->number == last[numbered->sender] + 1;
    last[numbered->sender] = numbered->number;
    delivered++;
}

static void *send_all(void *context)
{
    struct numbered *mine = context;

    for (int i = 0; i < MAILS; i++)
        mailbox_post(&box, &mine[i].mail);
    return NULL;
}

START_TEST(mail_of_each_sender_arrives_once_and_in_order)
{
    pthread_t threads[SENDERS];

    mailbox_init(&box);
    in_order = true;
    for (int s = 0; s < SENDERS; s++) {
        last[s] = -1;
        for (int i = 0; i < MAILS; i++)
            mails[s][i] = (struct numbered){.mail = {.deliver = on_mail}, .sender = s, .number = i};
        ck_assert_int_eq(pthread_create(&threads[s], NULL, send_all, mails[s]), 0);
    }
    while (delivered < SENDERS * MAILS) {
        if (!mailbox_deliver(&box))
            sched_yield();
    }
    for (int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    ck_assert(in_order);
    ck_assert(!mailbox_deliver(&box));
}
END_TEST

START_TEST(a_loop_that_waits_is_woken_once_and_one_that_does_not_is_left_alone)
{
    struct numbered a = {.mail = {.deliver = on_mail}},
                    b = {.mail = {.deliver = on_mail}, .number = 1};

    last[0] = -1;
    mailbox_init(&box);
    ck_assert(!mailbox_post(&box, &a.mail));
    ck_assert(mailbox_deliver(&box));
    ck_assert(mailbox_begin_wait(&box));
    ck_assert(mailbox_post(&box, &a.mail));
    ck_assert(!mailbox_post(&box, &b.mail));
    mailbox_take(&box);
    ck_assert(mailbox_begin_wait(&box));
    mailbox_end_wait(&box); /* it was something else that woke it */
    ck_assert(!mailbox_post(&box, &a.mail));
    mailbox_take(&box);
}
END_TEST

START_TEST(a_loop_does_not_wait_when_there_is_mail)
{
    struct numbered a = {.mail = {.deliver = on_mail}};

    last[0] = -1;
    mailbox_init(&box);
    ck_assert(!mailbox_post(&box, &a.mail));
    ck_assert(!mailbox_begin_wait(&box));
    ck_assert(mailbox_deliver(&box));
    ck_assert(mailbox_begin_wait(&box));
}
END_TEST

static sem_t wakes;

static void *send_and_wake(void *context)
{
    struct numbered *mine = context;

    for (int i = 0; i < MAILS; i++) {
        if (mailbox_post(&box, &mine[i].mail))
            sem_post(&wakes);
    }
    return NULL;
}

/* A lost one leaves the loop asleep for ever: the test's time runs out. */
START_TEST(no_wake_up_is_lost)
{
    pthread_t threads[SENDERS];

    mailbox_init(&box);
    sem_init(&wakes, 0, 0);
    delivered = 0;
    in_order = true;
    for (int s = 0; s < SENDERS; s++) {
        last[s] = -1;
        for (int i = 0; i < MAILS; i++)
            mails[s][i] = (struct numbered){.mail = {.deliver = on_mail}, .sender = s, .number = i};
        ck_assert_int_eq(pthread_create(&threads[s], NULL, send_and_wake, mails[s]), 0);
    }
    while (mailbox_deliver(&box) || delivered < SENDERS * MAILS) {
        if (!mailbox_begin_wait(&box))
            continue;
        if (delivered < SENDERS * MAILS)
            sem_wait(&wakes);
        mailbox_end_wait(&box);
    }
    for (int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    ck_assert(in_order);
    sem_destroy(&wakes);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/port/mailbox");
    TCase *tc = tcase_create("mailbox");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, mail_of_each_sender_arrives_once_and_in_order);
    tcase_add_test(tc, a_loop_that_waits_is_woken_once_and_one_that_does_not_is_left_alone);
    tcase_add_test(tc, a_loop_does_not_wait_when_there_is_mail);
    tcase_add_test(tc, no_wake_up_is_lost);
    suite_add_tcase(suite, tc);
    return suite;
}
