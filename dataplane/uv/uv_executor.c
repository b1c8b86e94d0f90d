/* SPDX-License-Identifier: Apache-2.0 */
/* A turn of a loop: prepare (mail, then work) → poll (sockets) → check (mail, then the timers that are due). Time is
 * read at most once between two polls. Mail from the loop itself needs no wake-up: prepare delivers until the
 * box is empty before the loop sleeps. The alarm only ends a poll in time. A timer never fires in the pass that
 * started it, whatever its deadline: who starts one again with no delay lets mail and sockets go first. Work is handed to its pool when the turn's mail is delivered: answers leave
 * first, and a worker that the system puts in the loop's place finds it done. */
#include "dataplane/uv/uv_executor_internal.h"

#include "common/base/list.h"
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "dataplane/uv/short_turns.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A few rounds side by side keep a disk busy; more of them only make each smaller. */
enum { SIGNALS = 3, MAX_LOOPS = 64, FLUSH_WORKERS_MAX = 4 };

/* A timer that is due so soon gets no alarm, which would be up to a millisecond late. */
enum { SOON_US = 20 };

struct uv_executor {
    struct executor base;
    struct uv_executor_loop *loops;
    struct loop *loop_pointers[MAX_LOOPS];
    struct worker_pools *workers;
    uv_signal_t signals[SIGNALS];
    void (*on_signal)(void *context, int number);
    void *signal_context;
    bool is_running; /* set once: workers may read it */
};

/* The loop that this thread runs; NULL = none. */
static _Thread_local const struct loop *running;

static struct uv_executor *executor_of(const struct loop *loop)
{
    return container_of(loop->executor, struct uv_executor, base);
}

static void refresh_time(struct uv_executor_loop *loop)
{
    if (!loop->is_time_stale)
        return;
    loop->now_us = clock_monotonic_us(&system_clock);
    loop->wall_ms = clock_wall_ms(&system_clock);
    loop->is_time_stale = false;
}

static int64_t loop_get_now_us(const struct loop *base)
{
    struct uv_executor_loop *loop = uv_loop_of(base);

    refresh_time(loop);
    return loop->now_us;
}

static int64_t loop_get_wall_ms(const struct loop *base)
{
    struct uv_executor_loop *loop = uv_loop_of(base);

    refresh_time(loop);
    return loop->wall_ms;
}

static bool loop_is_current(const struct loop *base)
{
    /* Before they run, all loops belong to the thread that made them. */
    return running == NULL ? !executor_of(base)->is_running : running == base;
}

/* Not uv_async_t: its receiver spins for as long as a sender is in the middle of sending. */
static void wake_up(const struct uv_executor_loop *loop)
{
    static const uint64_t one = 1;

    /* EAGAIN: it was woken 2^64 times and has not looked yet. */
    (void)!write(loop->wake_fd, &one, sizeof(one));
}

static void loop_post_mail(struct loop *base, struct mail *mail)
{
    struct uv_executor_loop *loop = uv_loop_of(base);

    if (mailbox_post(&loop->mailbox, mail) && !loop_is_current(base))
        wake_up(loop);
}

/* The next poll does not wait, and check looks at the timers. */
static void on_soon(uv_idle_t *soon)
{
    (void)soon;
}

static void on_alarm(uv_timer_t *alarm)
{
    struct uv_executor_loop *loop = container_of(alarm, struct uv_executor_loop, alarm);

    uv_idle_start(&loop->soon, on_soon);
}

/* libuv's timers count milliseconds: we wake at or just after the deadline, never before. */
static void set_alarm(struct uv_executor_loop *loop)
{
    int64_t deadline_us = INT64_MAX;
    int64_t delay_us = 0;

    if (!timer_queue_next_deadline(&loop->timers, &deadline_us)) {
        loop->alarm_us = INT64_MAX;
        uv_timer_stop(&loop->alarm);
        return;
    }
    loop->alarm_us = deadline_us;
    delay_us = deadline_us - clock_monotonic_us(&system_clock);
    if (delay_us <= SOON_US) {
        uv_idle_start(&loop->soon, on_soon);
        return;
    }
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->alarm, on_alarm, (uint64_t)(delay_us + 999) / 1000, 0);
}

static void fire_timers(struct uv_executor_loop *loop)
{
    int64_t deadline_us = INT64_MAX;
    struct timer *timer = NULL;

    refresh_time(loop);
    (void)timer_queue_next_deadline(&loop->timers, &deadline_us);
    if (deadline_us > loop->now_us && !uv_is_active((uv_handle_t *)&loop->soon))
        return;
    uv_idle_stop(&loop->soon);
    loop->alarm_us = INT64_MIN; /* set once, after all of them */
    while ((timer = timer_queue_pop_due(&loop->timers, loop->now_us)) != NULL)
        timer->fire(timer);
    set_alarm(loop);
}

static void loop_timer_start(struct loop *base, struct timer *timer, int64_t deadline_us)
{
    struct uv_executor_loop *loop = uv_loop_of(base);
    int64_t next_pass_us = loop_get_now_us(base) + 1;

    if (deadline_us < next_pass_us)
        deadline_us = next_pass_us;
    timer_queue_start(&loop->timers, timer, deadline_us);
    if (deadline_us < loop->alarm_us)
        set_alarm(loop);
}

static void loop_timer_stop(struct loop *base, struct timer *timer)
{
    /* The alarm may ring for nothing once; that is cheaper than moving it each time. */
    timer_queue_stop(&uv_loop_of(base)->timers, timer);
}

static void loop_submit(struct loop *base, enum worker_pool pool, struct work *work)
{
    work_queue_add(&uv_loop_of(base)->submitted[pool], work);
}

static const struct histogram *loop_get_busy_times(const struct loop *base)
{
    return &uv_loop_of(base)->busy;
}

static const struct loop_ops uv_loop_ops = {
    .post = loop_post_mail,
    .timer_start = loop_timer_start,
    .timer_stop = loop_timer_stop,
    .submit = loop_submit,
    .now_us = loop_get_now_us,
    .wall_ms = loop_get_wall_ms,
    .is_current = loop_is_current,
    .busy_times = loop_get_busy_times,
};

static void on_wake(uv_poll_t *wake, int status, int events)
{
    struct uv_executor_loop *loop = container_of(wake, struct uv_executor_loop, wake);
    uint64_t count = 0;

    (void)status;
    (void)events;
    (void)!read(loop->wake_fd, &count, sizeof(count));
    mailbox_end_wait(&loop->mailbox);
    mailbox_deliver(&loop->mailbox);
}

static void note_busy(struct uv_executor_loop *loop, int64_t busy_us)
{
    struct long_turn turn;

    histogram_note(&loop->busy, busy_us);
    if (turn_watch_note(&loop->watch, busy_us, &turn))
        log_event(LOG_WARN, "long_turn", f_i64("loop", loop->base.index), f_i64("us", busy_us),
                  f_i64("ran_us", turn.ran_us), f_i64("ready_us", turn.ready_us));
}

/* From one prepare to the next, less what was spent waiting in the poll. */
static void note_turn(struct uv_executor_loop *loop)
{
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(&loop->uv);

    if (loop->turn_began_ns != 0)
        note_busy(loop,
                  (int64_t)(now_ns - loop->turn_began_ns - (idle_ns - loop->turn_began_idle_ns)) /
                      1000);
    loop->turn++;
    loop->turn_began_ns = now_ns;
    loop->turn_began_idle_ns = idle_ns;
}

static void hand_work_over(struct uv_executor_loop *loop)
{
    struct worker_pools *workers = executor_of(&loop->base)->workers;

    for (int i = 0; i < WORKER_POOL_COUNT; i++)
        worker_pools_submit(workers, (enum worker_pool)i, &loop->submitted[i]);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct uv_executor_loop *loop = container_of(prepare, struct uv_executor_loop, prepare);

    do {
        while (mailbox_deliver(&loop->mailbox))
            continue;
    } while (!mailbox_begin_wait(&loop->mailbox));
    hand_work_over(loop);
    loop->is_time_stale = true;
    note_turn(loop);
}

static void on_check(uv_check_t *check)
{
    struct uv_executor_loop *loop = container_of(check, struct uv_executor_loop, check);

    mailbox_end_wait(&loop->mailbox);
    mailbox_deliver(&loop->mailbox);
    fire_timers(loop);
}

static enum err loop_setup(struct uv_executor *executor, int index)
{
    struct uv_executor_loop *loop = &executor->loops[index];

    loop->base = (struct loop){.ops = &uv_loop_ops, .executor = &executor->base, .index = index};
    spare_pool_init(&loop->base.spares, LOOP_SPARE_BYTES);
    turn_watch_init(&loop->watch);
    loop->is_time_stale = true;
    loop->alarm_us = INT64_MAX;
    mailbox_init(&loop->mailbox);
    for (int i = 0; i < WORKER_POOL_COUNT; i++)
        work_queue_init(&loop->submitted[i]);
    timer_queue_init(&loop->timers);
    if (uv_loop_init(&loop->uv) != 0 || uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME) != 0)
        return ERR_NO_MEMORY;
    executor->loop_pointers[index] = &loop->base;
    executor->base.loop_count = index + 1;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0 || uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd) != 0 ||
        uv_poll_start(&loop->wake, UV_READABLE, on_wake) != 0)
        return ERR_UNAVAILABLE;
    uv_timer_init(&loop->uv, &loop->alarm);
    uv_idle_init(&loop->uv, &loop->soon);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    return ERR_OK;
}

enum err uv_executor_new(const struct uv_executor_options *options,
                         struct uv_executor **ret_executor, struct error *error)
{
    int threads[WORKER_POOL_COUNT] = {
        [WORKER_FLUSH] =
            options->loop_count < FLUSH_WORKERS_MAX ? options->loop_count : FLUSH_WORKERS_MAX,
        [WORKER_READ] = options->read_workers,
        [WORKER_CHECK] = options->check_workers,
        [WORKER_WRITE] = options->write_workers,
        [WORKER_SLOW] = options->slow_workers,
    };
    struct uv_executor *executor = calloc(1, sizeof(*executor));
    enum err rc = ERR_OK;

    if (executor == NULL)
        return error_set(error, ERR_NO_MEMORY, "executor");
    invariant(options->loop_count > 0 && options->loop_count <= MAX_LOOPS);
    executor->base.loops = executor->loop_pointers;
    executor->loops = calloc((size_t)options->loop_count, sizeof(*executor->loops));
    rc = executor->loops ? ERR_OK : ERR_NO_MEMORY;
    for (int i = 0; rc == ERR_OK && i < options->loop_count; i++)
        rc = loop_setup(executor, i);
    if (rc == ERR_OK)
        rc = worker_pools_new(threads, &executor->workers);
    if (rc != ERR_OK) {
        /* Only at start, and then the process ends: what was made is left to its exit. */
        return error_set(error, rc, "event loops and workers");
    }
    *ret_executor = executor;
    return ERR_OK;
}

struct executor *uv_executor_base(struct uv_executor *executor)
{
    return &executor->base;
}

static void signal_arrived(uv_signal_t *signal, int number)
{
    struct uv_executor *executor = signal->data;

    executor->on_signal(executor->signal_context, number);
}

void uv_executor_on_signal(struct uv_executor *executor,
                           void (*on_signal)(void *context, int number), void *context)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

    executor->on_signal = on_signal;
    executor->signal_context = context;
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&executor->loops[0].uv, &executor->signals[i]);
        executor->signals[i].data = executor;
        uv_signal_start(&executor->signals[i], signal_arrived, numbers[i]);
    }
}

static void *run_loop(void *context)
{
    struct uv_executor_loop *loop = context;

    running = &loop->base;
    take_short_turns();
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    running = NULL;
    return NULL;
}

void uv_executor_run(struct uv_executor *executor)
{
    pthread_t threads[MAX_LOOPS];
    sigset_t all, old;

    executor->is_running = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 1; i < executor->base.loop_count; i++) {
        int rc = pthread_create(&threads[i], NULL, run_loop, &executor->loops[i]);

        invariant(rc == 0);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    run_loop(&executor->loops[0]);
    for (int i = 1; i < executor->base.loop_count; i++)
        pthread_join(threads[i], NULL);
}

static void close_handles(struct mail *mail)
{
    struct uv_executor_loop *loop = container_of(mail, struct uv_executor_loop, stop_mail);

    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_close((uv_handle_t *)&loop->soon, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
}

void uv_executor_stop(struct uv_executor *executor)
{
    if (executor->on_signal != NULL) {
        for (int i = 0; i < SIGNALS; i++)
            uv_close((uv_handle_t *)&executor->signals[i], NULL);
    }
    for (int i = executor->base.loop_count - 1; i >= 0; i--) {
        struct uv_executor_loop *loop = &executor->loops[i];

        loop->stop_mail.deliver = close_handles;
        loop_post(&loop->base, &loop->stop_mail);
    }
}

void uv_executor_free(struct uv_executor *executor)
{
    worker_pools_free(executor->workers);
    for (int i = 0; i < executor->base.loop_count; i++) {
        timer_queue_done(&executor->loops[i].timers);
        spare_pool_done(&executor->loops[i].base.spares);
        invariant(uv_loop_close(&executor->loops[i].uv) == 0);
        (void)close(executor->loops[i].wake_fd);
        turn_watch_done(&executor->loops[i].watch);
    }
    free(executor->loops);
    free(executor);
}
