/* SPDX-License-Identifier: Apache-2.0 */
/* What members say of themselves and the coordinator reads: the subscription in their metadata (KIP-429 and
 * older), names of any bytes, session times of any size. */
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/dataplane/group/group_rig.h"

enum { MEMBERS_MAX = 4 };

static void join(struct rig *rig, struct fuzz_input *input)
{
    struct rig_call *call = NULL;
    int16_t version = (int16_t)(fuzz_u8(input) % 4);
    int32_t session_ms = (int32_t)(6000 + fuzz_u16(input));
    struct slice subscription = fuzz_piece(input);
    const char *member = NULL;

    call = rig_join(rig, .version = version, .session_ms = session_ms,
                    .subscription = subscription.len > 0 ? subscription : SLICE_LITERAL("x"));
    if (!call->is_finished || call->call.error != KAFKA_NONE)
        return;
    member = rig_member(call);
    (void)rig_sync(rig, "g", member, call->call.join.reply.generation, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct rig rig;

    rig_init(&rig);
    rig_start(&rig);
    (void)rig_commit(&rig, "g", "", -1, "orders", 0, 5);
    for (int i = 0; i < MEMBERS_MAX && input.len > 0; i++)
        join(&rig, &input);
    (void)rig_delete_offset(&rig, "g", "orders", 0);
    (void)rig_describe(&rig, "g");
    rig_advance(&rig, 100000);
    rig_done(&rig);
    return 0;
}
