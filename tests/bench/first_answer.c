/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a server, measures the time from exec to its first answer over TLS, then its resident memory
 * when it has been idle for two seconds, then stops it with SIGTERM. One line of JSON on stdout:
 *
 *   first_answer (kafka|https) PORT CA_FILE PROGRAM [ARG …]
 *
 * kafka sends ApiVersions version 0, https sends GET /healthz. Exit status 1: no answer in 30 s. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const unsigned char api_versions_v0[] = {0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff};
static const char get_healthz[] =
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One try: true = the server answered. */
static bool ask(SSL_CTX *context, int port, bool is_kafka)
{
    const void *question = is_kafka ? (const void *)api_versions_v0 : (const void *)get_healthz;
    int len = is_kafka ? (int)sizeof(api_versions_v0) : (int)sizeof(get_healthz) - 1;
    char server_name[] = "localhost"; /* OpenSSL's macro casts const away */
    char answer[16];
    int fd = connect_to(port);
    SSL *ssl = NULL;
    bool answered = false;

    if (fd < 0)
        return false;
    ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, server_name);
    SSL_set1_host(ssl, "localhost");
    answered = SSL_connect(ssl) == 1 && SSL_write(ssl, question, len) == len &&
               SSL_read(ssl, answer, sizeof(answer)) > 0;
    SSL_free(ssl);
    close(fd);
    return answered;
}

static long resident_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = -1;
    FILE *file = NULL;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return kib;
}

static double wait_for_answer(SSL_CTX *context, int port, bool is_kafka, double began_ms)
{
    struct timespec pause = {.tv_nsec = 200000};

    while (now_ms() - began_ms < 30000) {
        if (ask(context, port, is_kafka))
            return now_ms() - began_ms;
        nanosleep(&pause, NULL);
    }
    return -1;
}

int main(int argc, char **argv)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct timespec idle = {.tv_sec = 2};
    double began_ms = 0;
    double first_ms = 0;
    long kib = 0;
    pid_t pid = 0;

    if (argc < 5 || SSL_CTX_load_verify_locations(context, argv[3], NULL) != 1) {
        fprintf(stderr, "usage: first_answer (kafka|https) PORT CA_FILE PROGRAM [ARG …]\n");
        return 2;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    began_ms = now_ms();
    pid = fork();
    if (pid == 0) {
        execv(argv[4], argv + 4);
        _exit(127);
    }
    first_ms = wait_for_answer(context, (int)strtol(argv[2], NULL, 10),
                               strcmp(argv[1], "kafka") == 0, began_ms);
    nanosleep(&idle, NULL);
    kib = resident_kib(pid);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    SSL_CTX_free(context);
    printf("{\"first_answer_ms\": %.1f, \"idle_rss_kib\": %ld}\n", first_ms, kib);
    return first_ms < 0 ? 1 : 0;
}
