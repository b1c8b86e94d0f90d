/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a SASL exchange. The first byte chooses the mechanism; the rest is split at 0xFF into tokens.
 * Nobody gets in: the directory knows one key, and the input does not. */
#include "dataplane/auth/sasl_exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool find_key(void *context, struct slice key_id, struct sasl_credential *ret_credential)
{
    static const uint8_t verifier[KEY_VERIFIER_LEN] = {1};
    static const struct scram_verifier scram[2] = {
        {.mechanism = SCRAM_SHA_256, .iterations = 4096, .stored_key = {1}, .server_key = {2}},
        {.mechanism = SCRAM_SHA_512, .iterations = 4096, .stored_key = {3}, .server_key = {4}}};

    (void)context;
    if (!slice_equal_cstring(key_id, "0123456789abcdef"))
        return false;
    *ret_credential =
        (struct sasl_credential){.verifier = verifier, .scram = {&scram[0], &scram[1]}};
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t pepper[SASL_PEPPER_LEN];
    struct seeded_random random;
    struct sasl_directory directory = {.find = find_key, .random = &random.base, .pepper = pepper};
    struct sasl_exchange exchange;
    char reply[SASL_REPLY_MAX];
    size_t reply_len = 0;
    const uint8_t *end = data + len;

    if (len == 0)
        return 0;
    seeded_random_init(&random, 1);
    sasl_start(&exchange, (enum sasl_mechanism)(*data++ % SASL_MECHANISM_COUNT));
    while (data <= end) {
        const uint8_t *stop = data < end ? memchr(data, 0xff, (size_t)(end - data)) : NULL;
        size_t token_len = (size_t)((stop != NULL ? stop : end) - data);
        enum sasl_status status =
            sasl_step(&exchange, &directory, slice_of(data, token_len), reply, &reply_len);

        invariant(status != SASL_SUCCEEDED && reply_len <= sizeof(reply));
        data += token_len + 1;
    }
    sasl_done(&exchange);
    return 0;
}
