/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/codegen/naming.h"

#include <ctype.h>
#include <string.h>

char *naming_snake(struct pool *pool, const char *camel)
{
    /* At worst every letter gets an underscore before it. */
    char *snake = pool_alloc(pool, 2 * strlen(camel) + 1);
    size_t len = 0;

    for (size_t i = 0; camel[i] != '\0'; i++) {
        const unsigned char letter = (unsigned char)camel[i];

        if (isupper(letter) && i > 0 && !isupper((unsigned char)camel[i - 1]))
            snake[len++] = '_';
        snake[len++] = (char)tolower(letter);
    }
    return snake;
}

char *naming_upper(struct pool *pool, const char *camel)
{
    char *upper = naming_snake(pool, camel);

    for (char *at = upper; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return upper;
}
