/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, in one list of codes and one object with context.
 *
 * A code says what the caller may do about it; the message says it to a person. Every fallible
 * function returns enum err; `struct error *` is the last argument, lives on the caller's stack and
 * may be NULL. Protocol codes (HTTP, Kafka) are made from these at the edges only. */
#ifndef COMMON_BASE_ERROR_H
#define COMMON_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/*   name              text                                   is_retriable */
#define ERR_LIST(X)                                                                                \
    X(OK, "ok", false)                                                                             \
    X(NO_MEMORY, "out of memory", true)                                                            \
    X(INVALID, "invalid", false)                                                                   \
    X(TRUNCATED, "ends too early", false)                                                          \
    X(TOO_LARGE, "too large", false)                                                               \
    X(NOT_FOUND, "not found", false)                                                               \
    X(EXISTS, "exists already", false)                                                             \
    X(CONFLICT, "conflicts with a change made meanwhile", true)                                    \
    X(GONE, "was removed", false)                                                                  \
    X(LOCKED, "is locked", false)                                                                  \
    X(STALE, "is not what it was when it was read", false)                                         \
    X(UNAUTHENTICATED, "not authenticated", false)                                                 \
    X(DENIED, "not allowed", false)                                                                \
    X(LIMIT, "over the limit of the plan", false)                                                  \
    X(THROTTLED, "too many requests", true)                                                        \
    X(UNAVAILABLE, "not available now", true)                                                      \
    X(TIMEOUT, "took too long", true)                                                              \
    X(FENCED, "overtaken by a newer owner", false)                                                 \
    X(UNSUPPORTED, "not supported", false)                                                         \
    X(CORRUPT, "corrupt", false)                                                                   \
    X(IO, "input/output error", false)                                                             \
    X(NO_SPACE, "no space left", true)                                                             \
    X(CLOSED, "closed", false)                                                                     \
    X(CANCELLED, "cancelled", false)                                                               \
    X(INTERNAL, "internal error", false)

enum err {
#define ERR_ENUM(name, text, is_retriable) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

struct error {
    enum err code;
    char message[256];
};

/* Sets code and message, returns code, so that `return error_set(…)` reads well. error may be NULL.
 */
enum err error_set(struct error *error, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "<context>: " before the message; code stays. Returns the code. */
enum err error_wrap(struct error *error, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);

const char *err_name(enum err code); /* "NOT_FOUND" */
const char *err_text(enum err code); /* "not found" */
bool err_is_retriable(enum err code);

/* Maps errno to a code. Only edges (uv, posix disk, store) call it. */
enum err err_from_errno(int number);

/* Our own mistakes only; stays on in release. Bytes from outside get an error, never this. */
#define invariant(condition)                                                                       \
    ((condition) ? (void)0 : invariant_failed(#condition, __FILE__, __LINE__))
_Noreturn void invariant_failed(const char *condition, const char *file, int line);

#endif
