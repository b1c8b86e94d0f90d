/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/metrics/scrape.h"

#include "dataplane/metrics/scrape_internal.h"

enum { MAX_TEXT_BYTES = 64 * 1048576 };

static void finish(struct scrape *scrape, enum err rc)
{
    scrape_topics_end(scrape);
    if (rc == ERR_OK)
        rc = exposition_render(&scrape->exposition, &scrape->text);
    exposition_done(&scrape->exposition);
    scrape->done(scrape, rc);
}

/* A timer, not mail to ourselves: between two turns the loop serves its connections. */
static void on_topics_turn(struct timer *turn)
{
    struct scrape *scrape = container_of(turn, struct scrape, turn);

    if (scrape_topics_step(scrape))
        finish(scrape, ERR_OK);
    else
        timer_start_in(scrape->home, &scrape->turn, 0);
}

static void on_home(struct mail *mail)
{
    struct scrape *scrape = container_of(mail, struct scrape, mail);

    scrape_counters(scrape);
    if (!scrape_topics_begin(scrape)) {
        finish(scrape, ERR_NO_MEMORY);
        return;
    }
    scrape->turn.fire = on_topics_turn;
    timer_start_in(scrape->home, &scrape->turn, 0);
}

/* One loop after the other, so that only one touches the exposition at a time. */
static void on_loop_visit(struct mail *mail)
{
    struct scrape *scrape = container_of(mail, struct scrape, mail);
    struct executor *executor = scrape->source->executor;

    scrape_groups(scrape, executor->loops[scrape->next_loop++]);
    if (scrape->next_loop < executor->loop_count) {
        loop_post(executor->loops[scrape->next_loop], &scrape->mail);
        return;
    }
    scrape->mail.deliver = on_home;
    loop_post(scrape->home, &scrape->mail);
}

enum err scrape_start(struct scrape *scrape)
{
    enum err rc = exposition_init(&scrape->exposition, broker_families, MAX_TEXT_BYTES);

    if (rc != ERR_OK)
        return rc;
    buffer_init(&scrape->text, MAX_TEXT_BYTES + 64 * 1024); /* and the heads of the families */
    scrape->mail.deliver = scrape->is_per_object ? on_loop_visit : on_home;
    loop_post(scrape->is_per_object ? scrape->source->executor->loops[0] : scrape->home,
              &scrape->mail);
    return ERR_OK;
}

void scrape_done(struct scrape *scrape)
{
    buffer_done(&scrape->text);
}
