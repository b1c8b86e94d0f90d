/* SPDX-License-Identifier: Apache-2.0 */
/* A server's certificate of a test CA, in files of this test process. */
#ifndef TESTS_UNIT_DATAPLANE_NET_SERVER_CERTIFICATE_H
#define TESTS_UNIT_DATAPLANE_NET_SERVER_CERTIFICATE_H

struct server_certificate {
    char certificate_path[64];
    char key_path[64];
};

/* For "localhost"; the file has the CA's certificate, too. */
void server_certificate_make(struct server_certificate *certificate);
void server_certificate_remove(struct server_certificate *certificate);
/* Renames each file of `next`, which is none any more, over the one of `certificate`. */
void server_certificate_replace(struct server_certificate *certificate,
                                struct server_certificate *next);

#endif
