/* SPDX-License-Identifier: Apache-2.0 */
/* Codes, texts, and the object with context. Messages that are too long are cut, never an error. */
#include "common/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err error_set(struct error *error, enum err code, const char *format, ...)
{
    va_list args;

    if (error == NULL)
        return code;
    error->code = code;
    va_start(args, format);
    vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    return code;
}

enum err error_wrap(struct error *error, enum err code, const char *format, ...)
{
    char context[sizeof(error->message)];
    char inner[sizeof(error->message)];
    va_list args;

    if (error == NULL)
        return code;
    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    if (error->code != code)
        snprintf(inner, sizeof(inner), "%s", err_text(code));
    else
        memcpy(inner, error->message, sizeof(inner));
    error->code = code;
    /* A cut message is still a message. */
    if (snprintf(error->message, sizeof(error->message), "%s: %s", context, inner) < 0)
        error->message[0] = '\0';
    return code;
}

static const struct {
    const char *name;
    const char *text;
    bool is_retriable;
} codes[] = {
#define ERR_ROW(name, text, is_retriable) [ERR_##name] = {#name, text, is_retriable},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

const char *err_name(enum err code)
{
    return codes[code].name;
}

const char *err_text(enum err code)
{
    return codes[code].text;
}

bool err_is_retriable(enum err code)
{
    return codes[code].is_retriable;
}

enum err err_from_errno(int number)
{
    switch (number) {
    case 0:
        return ERR_OK;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
    case EADDRINUSE:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ECONNREFUSED:
        return ERR_UNAVAILABLE;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ECANCELED:
        return ERR_CANCELLED;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    case EINVAL:
        return ERR_INVALID;
    default:
        return ERR_IO;
    }
}

_Noreturn void invariant_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "invariant failed: %s at %s:%d\n", condition, file, line);
    fflush(stderr);
    abort();
}
