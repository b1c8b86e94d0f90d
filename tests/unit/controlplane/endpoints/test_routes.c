/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes and api/rest/openapi.yaml say the same. The YAML is ours and regular: a path stands alone at
 * two spaces, its methods at four. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controlplane/endpoints/endpoints.h"
#include "tests/support/check_main.h"

#define MAX_DOCUMENTED 128

static struct {
    char method[8];
    char path[128];
} documented[MAX_DOCUMENTED];
static int documented_count;

static void read_document(void)
{
    static const char *const methods[] = {"get", "put", "post", "patch", "delete"};
    FILE *file = fopen(OPENAPI_FILE, "r");
    char line[512], path[128] = "", word[8];

    ck_assert_msg(file != NULL, "cannot open %s", OPENAPI_FILE);
    documented_count = 0;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "  /", 3) == 0 && sscanf(line, " %127[^:]:", path) == 1)
            continue;
        if (strncmp(line, "    ", 4) != 0 || line[4] == ' ' || sscanf(line, " %7[a-z]:", word) != 1)
            continue;
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
            if (strcmp(word, methods[i]) != 0 || path[0] != '/')
                continue;
            ck_assert_int_lt(documented_count, MAX_DOCUMENTED);
            snprintf(documented[documented_count].method, 8, "%s", word);
            snprintf(documented[documented_count++].path, 128, "%s", path);
        }
        if (strncmp(line, "components:", 11) == 0)
            break;
    }
    fclose(file);
}

static bool is_documented(const struct http_route *route)
{
    for (int i = 0; i < documented_count; i++)
        if (strcasecmp(documented[i].method, http_method_name(route->method)) == 0 &&
            strcmp(documented[i].path, route->template) == 0)
            return true;
    return false;
}

START_TEST(the_document_describes_exactly_the_routes)
{
    read_document();
    for (int i = 0; i < public_route_count; i++)
        ck_assert_msg(is_documented(&public_routes[i]), "%s %s is not in the document",
                      http_method_name(public_routes[i].method), public_routes[i].template);
    ck_assert_int_eq(documented_count, public_route_count);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("controlplane/endpoints");
    TCase *tc = tcase_create("routes");

    tcase_add_test(tc, the_document_describes_exactly_the_routes);
    suite_add_tcase(suite, tc);
    return suite;
}
