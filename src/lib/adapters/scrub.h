/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zeroing memory behind a file descriptor. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * DaxcScrubOptions:
 * @threads: how many, the calling one included; 0: as many as help: one a CPU of
 *   @cpus, bounded, and few for little memory
 * @cpus: (nullable) (element-type guint): CPUs near the memory, to which all threads
 *   are bound as far as the caller's own affinity allows; NULL or empty: any
 * @rate: bytes of memory a second at most, all threads together; 0: no limit. Each of
 *   these is written and read, so the memory's load is twice that, evenly spread
 * @proceed: (nullable): called by the calling thread at least ten times a second, also
 *   while the rate limit makes it wait; FALSE stops all threads within 50 ms. @done:
 *   bytes so far, where a byte that was written and not yet read back counts half
 * @data: for @proceed
 */
typedef struct {
	guint threads;
	const GArray *cpus;
	guint64 rate;
	gboolean (*proceed)(guint64 done, gpointer data);
	gpointer data;
} DaxcScrubOptions;

/**
 * daxc_scrub_fd:
 * @fd: open for reading and writing; mappable with MAP_SHARED
 * @offset: bytes, a multiple of @align
 * @size: bytes from there, a multiple of @align
 * @align: bytes, a power of two of at least a page: where the mapping must begin
 * @options: (nullable): NULL: all 0
 * @bad: (out) (optional): with DAXC_ERROR_MEMORY: the lowest offset, from the start
 *   of @fd, of memory that was found to have failed; untouched otherwise
 *
 * Writes zeros over [@offset, @offset + @size), past the caches, and when all of
 * that is written reads all of it back. Nothing else is touched, whenever the
 * process ends.
 *
 * Fails with DAXC_ERROR_INVALID when the range cannot be; DAXC_ERROR_MEMORY when
 * memory failed (SIGBUS), or something else than zero was read; DAXC_ERROR_CANCELED
 * when @proceed said so; DAXC_ERROR_FAILED when the memory cannot be mapped, or was
 * taken away meanwhile. After a failure any part of the range may be zeroed.
 *
 * While it runs the process's SIGBUS handler is ours; signals of other threads are
 * passed on to the handler that was there. Affinity and signal mask of the calling
 * thread are as before when it returns. Any number of threads may scrub at once.
 */
gboolean daxc_scrub_fd(int fd, guint64 offset, guint64 size, guint64 align,
		       const DaxcScrubOptions *options, guint64 *bad, GError **error);

G_END_DECLS
