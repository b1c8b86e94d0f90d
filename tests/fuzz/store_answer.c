/* SPDX-License-Identifier: Apache-2.0 */
/* What the store answers to a change of two topics. */
#include "dataplane/cluster/request_json.h"
#include "tests/fuzz/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topic_request topics[2] = {{.topic_id = {{1}}}, {.topic_id = {{2}}}};
    struct cluster_request request = {
        .kind = META_DELETE_TOPICS, .instance_no = 1, .topics = topics, .topic_count = 2};

    (void)!request_json_read(&request, slice_of(data, size));
    return 0;
}
