/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/work_counts.h"

static const struct db_statement running_operations = {
    "SELECT type, count(*), (extract(epoch FROM now() - min(created_at)) * 1000000)::bigint "
    "FROM fleet.operation WHERE state = 'in progress' GROUP BY type ORDER BY type"};

static const struct db_statement instances_by_phase = {
    "SELECT phase, count(*) FROM fleet.instance WHERE phase <> 'removed' GROUP BY phase "
    "ORDER BY phase"};

enum err work_counts_read(struct db *db, const struct work_counts_visitor *visitor,
                          struct error *error)
{
    struct db_result *result = NULL;
    enum err rc = db_query(db, &running_operations, DB_PARAMS_NONE, &result, error);

    for (int row = 0; rc == ERR_OK && row < db_result_row_count(result); row++)
        visitor->on_operations(visitor->context, db_result_text(result, row, 0),
                               db_result_i64(result, row, 1), db_result_i64(result, row, 2));
    db_result_free(result);
    if (rc != ERR_OK)
        return rc;
    result = NULL;
    rc = db_query(db, &instances_by_phase, DB_PARAMS_NONE, &result, error);
    for (int row = 0; rc == ERR_OK && row < db_result_row_count(result); row++)
        visitor->on_instances(visitor->context, db_result_text(result, row, 0),
                              db_result_i64(result, row, 1));
    db_result_free(result);
    return rc;
}
