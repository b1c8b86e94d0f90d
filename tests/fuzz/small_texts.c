/* SPDX-License-Identifier: Apache-2.0 */
/* Short texts from outside: keys, ids, encodings, heads of scrapes, names and settings of topics, labels of
 * metrics. The first byte chooses. What is accepted has one meaning: written again it is the same. */
#include "common/crypto/encoding.h"
#include "common/crypto/service_key.h"
#include "common/observe/exposition.h"
#include "dataplane/cluster/topic_settings.h"
#include "dataplane/metrics/http_head.h"
#include "tests/fuzz/fuzz_input.h"

static void read_key(struct slice text)
{
    struct service_key key;

    if (service_key_parse(text, &key) == ERR_OK) {
        invariant(slice_equal_cstring(text, key.text));
        service_key_done(&key);
    }
}

static void read_uuid(struct slice text)
{
    char again[UUID_TEXT_LEN + 1];
    struct uuid uuid, second;

    if (uuid_parse(text, &uuid) != ERR_OK)
        return;
    uuid_format(uuid, again);
    invariant(uuid_parse(slice_from_cstring(again), &second) == ERR_OK && uuid_equal(uuid, second));
}

static void read_encodings(struct slice text)
{
    uint8_t bytes[300], again[300];
    char encoded[600];
    size_t len = 0, again_len = 0;

    if (base64_decode(text, bytes, sizeof(bytes), &len) == ERR_OK) {
        size_t encoded_len = base64_encode(bytes, len, encoded);

        invariant(len <= sizeof(bytes));
        invariant(base64_decode(slice_of(encoded, encoded_len), again, sizeof(again), &again_len) ==
                  ERR_OK);
        invariant(again_len == len && memcmp(bytes, again, len) == 0);
    }
    (void)!hex_decode(text, bytes, text.len / 2 < sizeof(bytes) ? text.len / 2 : sizeof(bytes));
}

static void read_head(struct slice text)
{
    struct slice path = SLICE_NULL;

    if (http_head_parse(text, &path) == ERR_OK)
        invariant(path.len > 0 && path.data[0] == '/' && path.data >= text.data &&
                  path.data + path.len <= text.data + text.len);
}

static void read_topic_text(struct fuzz_input *input)
{
    char message[SETTING_MESSAGE_MAX], list[SETTING_VALUE_MAX];
    const struct topic_setting *setting = topic_setting_at(fuzz_u8(input) % topic_setting_count());
    struct slice items = fuzz_piece(input);
    struct slice value = fuzz_rest(input);

    (void)topic_name_check(value, TOPIC_NAME_CLIENT_MAX);
    if (topic_setting_check_value(setting, value, message) != KAFKA_NONE)
        invariant(message[0] != '\0');
    (void)topic_setting_edit_list(value, items, true, list);
    (void)topic_setting_edit_list(value, items, false, list);
}

static void read_label(struct slice text)
{
    struct metric_labels labels;

    if (!label_value_is_text(text))
        return;
    metric_labels_clear(&labels);
    metric_labels_add(&labels, "a", text);
    invariant(labels.len >= text.len + 4 && strlen(labels.text) <= labels.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    switch (fuzz_u8(&input) % 6) {
    case 0:
        read_key(fuzz_rest(&input));
        break;
    case 1:
        read_uuid(fuzz_rest(&input));
        break;
    case 2:
        read_encodings(fuzz_rest(&input));
        break;
    case 3:
        read_head(fuzz_rest(&input));
        break;
    case 4:
        read_topic_text(&input);
        break;
    default:
        read_label(fuzz_rest(&input));
        break;
    }
    return 0;
}
