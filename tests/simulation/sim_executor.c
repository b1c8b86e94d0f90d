/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sim_executor.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/port/timer_queue.h"
#include "tests/simulation/sim_clock.h"
#include "tests/simulation/sim_memory.h"

#define LOOPS_MAX 16
#define SLOW_WORK_ONE_IN 64
#define SLOW_WORK_FACTOR 50

struct sim_loop {
    struct loop base;
    struct sim_executor *sim;
    struct mail *first;
    struct mail *last;
    struct timer_queue timers;
};

/* Work that was submitted; the work node itself has no room for a time. */
struct sim_job {
    struct sim_job *next;
    struct work *work;
    enum worker_pool pool;
    int64_t ready_us;
};

struct sim_executor {
    struct executor base;
    struct sim_loop loops[LOOPS_MAX];
    struct loop *loop_pointers[LOOPS_MAX];
    struct sim_loop *current; /* NULL on a worker and outside */
    struct sim_job *jobs;     /* in order of submission */
    struct sim_clock clock;
    struct seeded_random random;
    struct sim_trace own_trace;
    struct sim_trace *trace;
    int64_t work_delay_max_us[WORKER_POOL_COUNT];
    int64_t stalled_until_us[WORKER_POOL_COUNT];
};

static struct sim_loop *sim_loop_of(const struct loop *loop)
{
    return container_of(loop, struct sim_loop, base);
}

static void loop_post_mail(struct loop *base, struct mail *mail)
{
    struct sim_loop *loop = sim_loop_of(base);

    atomic_store_explicit(&mail->next, NULL, memory_order_relaxed);
    if (loop->last != NULL)
        atomic_store_explicit(&loop->last->next, mail, memory_order_relaxed);
    else
        loop->first = mail;
    loop->last = mail;
}

static void loop_timer_start(struct loop *base, struct timer *timer, int64_t deadline_us)
{
    struct sim_loop *loop = sim_loop_of(base);

    invariant(loop->sim->current == loop);
    timer_queue_start(&loop->timers, timer, deadline_us);
}

static void loop_timer_stop(struct loop *base, struct timer *timer)
{
    struct sim_loop *loop = sim_loop_of(base);

    invariant(loop->sim->current == loop);
    timer_queue_stop(&loop->timers, timer);
}

static int64_t work_delay_us(struct sim_executor *sim, enum worker_pool pool)
{
    int64_t max_us = sim->work_delay_max_us[pool];

    if (max_us <= 0)
        return 0;
    if (seeded_random_below(&sim->random, SLOW_WORK_ONE_IN) == 0)
        max_us *= SLOW_WORK_FACTOR;
    return (int64_t)seeded_random_below(&sim->random, (uint64_t)max_us);
}

static void loop_submit(struct loop *base, enum worker_pool pool, struct work *work)
{
    struct sim_loop *loop = sim_loop_of(base);
    struct sim_executor *sim = loop->sim;
    struct sim_job *job = NULL;
    struct sim_job **end = &sim->jobs;

    invariant(sim->current == loop);
    sim_memory_begin();
    job = calloc(1, sizeof(*job));
    sim_memory_end();
    invariant(job != NULL);
    *job = (struct sim_job){
        .work = work,
        .pool = pool,
        .ready_us = sim->clock.monotonic_us + work_delay_us(sim, pool),
    };
    if (job->ready_us < sim->stalled_until_us[pool])
        job->ready_us = sim->stalled_until_us[pool];
    while (*end != NULL)
        end = &(*end)->next;
    *end = job;
}

static int64_t loop_get_now_us(const struct loop *base)
{
    return sim_loop_of(base)->sim->clock.monotonic_us;
}

static int64_t loop_get_wall_ms(const struct loop *base)
{
    return clock_wall_ms(&sim_loop_of(base)->sim->clock.base);
}

static bool loop_is_current(const struct loop *base)
{
    const struct sim_loop *loop = sim_loop_of(base);

    return loop->sim->current == loop;
}

static const struct loop_ops sim_loop_ops = {
    .post = loop_post_mail,
    .timer_start = loop_timer_start,
    .timer_stop = loop_timer_stop,
    .submit = loop_submit,
    .now_us = loop_get_now_us,
    .wall_ms = loop_get_wall_ms,
    .is_current = loop_is_current,
};

struct sim_executor *sim_executor_new(const struct sim_executor_options *options)
{
    struct sim_executor *sim = calloc(1, sizeof(*sim));

    invariant(sim != NULL && options->loop_count >= 1 && options->loop_count <= LOOPS_MAX);
    seeded_random_init(&sim->random, options->seed);
    sim_clock_init(&sim->clock, options->start_wall_ms);
    sim->trace = options->trace != NULL ? options->trace : &sim->own_trace;
    memcpy(sim->work_delay_max_us, options->work_delay_max_us, sizeof(sim->work_delay_max_us));
    sim->base = (struct executor){sim->loop_pointers, options->loop_count};
    for (int i = 0; i < options->loop_count; i++) {
        struct sim_loop *loop = &sim->loops[i];

        *loop = (struct sim_loop){
            .base = {.ops = &sim_loop_ops, .executor = &sim->base, .index = i}, .sim = sim};
        spare_pool_init(&loop->base.spares, LOOP_SPARE_BYTES);
        timer_queue_init(&loop->timers);
        sim->loop_pointers[i] = &loop->base;
    }
    return sim;
}

void sim_executor_free(struct sim_executor *sim)
{
    struct sim_job *job = NULL;

    if (sim == NULL)
        return;
    while ((job = sim->jobs) != NULL) {
        sim->jobs = job->next;
        free(job);
    }
    for (int i = 0; i < sim->base.loop_count; i++) {
        timer_queue_done(&sim->loops[i].timers);
        spare_pool_done(&sim->loops[i].base.spares);
    }
    free(sim);
}

struct executor *sim_executor_base(struct sim_executor *sim)
{
    return &sim->base;
}

struct loop *sim_executor_loop(struct sim_executor *sim, int index)
{
    invariant(index >= 0 && index < sim->base.loop_count);
    return &sim->loops[index].base;
}

const struct clock *sim_executor_clock(const struct sim_executor *sim)
{
    return &sim->clock.base;
}

struct seeded_random *sim_executor_random(struct sim_executor *sim)
{
    return &sim->random;
}

struct sim_trace *sim_executor_trace(struct sim_executor *sim)
{
    return sim->trace;
}

static void deliver_mail(struct sim_executor *sim, struct sim_loop *loop)
{
    struct mail *mail = loop->first;

    loop->first = atomic_load_explicit(&mail->next, memory_order_relaxed);
    if (loop->first == NULL)
        loop->last = NULL;
    sim_trace_event(sim->trace, "mail", loop->base.index);
    sim->current = loop;
    mail->deliver(mail);
    sim->current = NULL;
}

static void fire_timer(struct sim_executor *sim, struct sim_loop *loop)
{
    struct timer *timer = timer_queue_pop_due(&loop->timers, sim->clock.monotonic_us);

    sim_trace_event(sim->trace, "timer", loop->base.index);
    sim->current = loop;
    timer->fire(timer);
    sim->current = NULL;
}

static void carry_home(struct mail *mail)
{
    struct work *work = container_of(mail, struct work, mail);

    work->done(work);
}

static void run_job(struct sim_executor *sim, struct sim_job *job)
{
    struct work *work = job->work;
    struct sim_job **link = &sim->jobs;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    sim_trace_event(sim->trace, "work", job->pool);
    free(job);
    work->run(work);
    work->mail.deliver = carry_home;
    loop_post(work->home, &work->mail);
}

static bool is_timer_due(const struct sim_executor *sim, const struct sim_loop *loop)
{
    int64_t deadline_us = 0;

    return timer_queue_next_deadline(&loop->timers, &deadline_us) &&
           deadline_us <= sim->clock.monotonic_us;
}

static bool is_job_ready(const struct sim_executor *sim, const struct sim_job *job)
{
    return job->ready_us <= sim->clock.monotonic_us;
}

/* With `chosen` < 0 counts what could happen now; else does the chosen one. */
static int choose(struct sim_executor *sim, int chosen)
{
    int count = 0;

    for (int i = 0; i < sim->base.loop_count; i++) {
        if (sim->loops[i].first != NULL && count++ == chosen) {
            deliver_mail(sim, &sim->loops[i]);
            return count;
        }
        if (is_timer_due(sim, &sim->loops[i]) && count++ == chosen) {
            fire_timer(sim, &sim->loops[i]);
            return count;
        }
    }
    for (struct sim_job *job = sim->jobs; job != NULL; job = job->next) {
        if (is_job_ready(sim, job) && count++ == chosen) {
            run_job(sim, job);
            return count;
        }
    }
    return count;
}

static bool next_deadline(const struct sim_executor *sim, int64_t *ret_us)
{
    int64_t first_us = INT64_MAX;

    for (int i = 0; i < sim->base.loop_count; i++) {
        int64_t deadline_us = 0;

        if (timer_queue_next_deadline(&sim->loops[i].timers, &deadline_us) &&
            deadline_us < first_us)
            first_us = deadline_us;
    }
    for (const struct sim_job *job = sim->jobs; job != NULL; job = job->next) {
        if (job->ready_us < first_us)
            first_us = job->ready_us;
    }
    *ret_us = first_us;
    return first_us != INT64_MAX;
}

/* False = nothing before limit_us. */
static bool step_before(struct sim_executor *sim, int64_t limit_us)
{
    int count = choose(sim, -1);

    while (count == 0) {
        int64_t deadline_us = 0;

        if (!next_deadline(sim, &deadline_us) || deadline_us > limit_us)
            return false;
        sim_clock_set(&sim->clock, deadline_us);
        sim_trace_event(sim->trace, "time", deadline_us);
        count = choose(sim, -1);
    }
    choose(sim, (int)seeded_random_below(&sim->random, (uint64_t)count));
    return true;
}

bool sim_executor_step(struct sim_executor *sim)
{
    return step_before(sim, INT64_MAX);
}

void sim_executor_run_for(struct sim_executor *sim, int64_t duration_us)
{
    int64_t end_us = sim->clock.monotonic_us + duration_us;

    while (step_before(sim, end_us))
        continue;
    sim_clock_set(&sim->clock, end_us);
}

bool sim_executor_run_until(struct sim_executor *sim, bool (*is_met)(void *context), void *context,
                            int64_t max_steps)
{
    for (int64_t i = 0; i < max_steps; i++) {
        if (is_met(context))
            return true;
        if (!sim_executor_step(sim))
            break;
    }
    return is_met(context);
}

void sim_executor_call(struct sim_executor *sim, int index, void (*fn)(void *context),
                       void *context)
{
    struct sim_loop *before = sim->current;

    invariant(index >= 0 && index < sim->base.loop_count);
    sim->current = &sim->loops[index];
    fn(context);
    sim->current = before;
}

void sim_executor_stall(struct sim_executor *sim, enum worker_pool pool, int64_t duration_us)
{
    int64_t until_us = sim->clock.monotonic_us + duration_us;

    sim->stalled_until_us[pool] = until_us;
    for (struct sim_job *job = sim->jobs; job != NULL; job = job->next) {
        if (job->pool == pool && job->ready_us < until_us)
            job->ready_us = until_us;
    }
}

void sim_executor_shift_wall(struct sim_executor *sim, int64_t by_ms)
{
    sim_clock_shift_wall(&sim->clock, by_ms);
}
