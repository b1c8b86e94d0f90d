/* SPDX-License-Identifier: Apache-2.0 */
/* InitProducerId without a transactional id: a fresh producer id, epoch 0, from the block that loop 0
 * reserved on disk; the store is not needed. Transactional ids: not served yet, and no other API of
 * transactions is advertised; clients are told so with UNSUPPORTED_VERSION, which ends them at once
 * where a coordinator error would make them ask for ever. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/init_producer_id_request.h"
#include "common/kafka/init_producer_id_response.h"
#include "dataplane/storage/log_directory.h"

struct init_producer_id {
    struct request *request;
    struct mail mail;
    struct producer_id_request id_request;
    enum err err;
    int64_t producer_id;
};

static void answer(struct request *request, enum kafka_error error, int64_t producer_id)
{
    struct kafka_init_producer_id_response response;

    kafka_init_producer_id_response_init_defaults(&response);
    response.error_code = (int16_t)error;
    response.producer_id = producer_id;
    response.producer_epoch = error == KAFKA_NONE ? 0 : -1;
    request_reply(request, kafka_init_producer_id_response, &response);
}

static void come_home(struct mail *mail)
{
    struct init_producer_id *init = container_of(mail, struct init_producer_id, mail);
    struct request *request = init->request;

    answer(request, init->err == ERR_OK ? KAFKA_NONE : KAFKA_COORDINATOR_NOT_AVAILABLE,
           init->err == ERR_OK ? init->producer_id : -1);
    request_release(request);
}

static void on_id(struct producer_id_request *id_request, enum err err, int64_t producer_id)
{
    struct init_producer_id *init = container_of(id_request, struct init_producer_id, id_request);

    init->err = err;
    init->producer_id = producer_id;
    init->mail.deliver = come_home;
    loop_post(init->request->broker->loop, &init->mail);
}

static void ask_loop0(struct mail *mail)
{
    struct init_producer_id *init = container_of(mail, struct init_producer_id, mail);

    init->id_request.done = on_id;
    log_directory_next_producer_id(init->request->broker->directory, &init->id_request);
}

void handle_init_producer_id(struct request *request)
{
    struct kafka_init_producer_id_request body;
    struct init_producer_id *init = NULL;

    if (!request_read(request, kafka_init_producer_id_request, &body))
        return;
    if (!slice_is_null(body.transactional_id)) {
        answer(request,
               body.transactional_id.len == 0 ? KAFKA_INVALID_REQUEST : KAFKA_UNSUPPORTED_VERSION,
               -1);
        return;
    }
    init = arena_new(&request->arena, struct init_producer_id);
    if (init == NULL) {
        request_fail(request, "out of memory");
        return;
    }
    init->request = request;
    init->mail.deliver = ask_loop0;
    request_hold(request);
    loop_post(request->broker->loop0, &init->mail);
}
