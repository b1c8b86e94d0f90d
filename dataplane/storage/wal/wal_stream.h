/* SPDX-License-Identifier: Apache-2.0 */
/* The two write-ahead logs of a data directory differ in what they promise. Each has files, LSNs and a floor of its own;
 * a log's bytes that are not in its segment yet are all in one of them. */
#ifndef DATAPLANE_STORAGE_WAL_WAL_STREAM_H
#define DATAPLANE_STORAGE_WAL_WAL_STREAM_H

enum wal_stream {
    WAL_SYNCED, /* durable before it is acknowledged (FLUSH_COMMIT) */
    WAL_WRITTEN /* in the page cache: it survives the process, and a power cut may take any of it (FLUSH_OS) */
};

#define WAL_STREAMS 2

#endif
