/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields of REST requests: pairs of pieces. A head with one length that counts is the only kind that
 * passes. */
#include "controlplane/http/guard.h"
#include "tests/fuzz/fuzz_input.h"

#include <strings.h>

static bool is_name(struct slice name, const char *wanted)
{
    return name.len == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Host", "X"};
    struct fuzz_input input = {data, size};
    struct guard guard;
    int lengths = 0, codings = 0;
    struct error error;

    guard_init(&guard, 1 << 20);
    while (input.len > 0) {
        uint8_t choice = fuzz_u8(&input);
        struct slice name =
            choice < 200 ? slice_from_cstring(names[choice % 4]) : fuzz_piece(&input);

        lengths += is_name(name, "content-length");
        codings += is_name(name, "transfer-encoding");
        guard_add_header(&guard, name, fuzz_piece(&input));
    }
    if (guard_check(&guard, &error) == ERR_OK)
        invariant(lengths + codings <= 1);
    return 0;
}
