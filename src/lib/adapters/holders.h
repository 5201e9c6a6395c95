/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which processes have a character device open or mapped. */
#pragma once

#include <daxcolor/audit.h>

G_BEGIN_DECLS

/**
 * daxc_holders:
 * @major, @minor: of a character device
 *
 * Looks through all of /proc by device number, so that nodes with other names, in
 * other mount namespaces or deleted ones count too. Threads with a file table of
 * their own are looked at. This process is left out, and processes that end
 * meanwhile are. Not seen: descriptors in flight between processes, registered with
 * io_uring, and DMA that is pinned.
 *
 * Returns: (transfer full) (element-type utf8): "qemu-system-x86 (1234)" each, in
 *   order of pid; empty when nobody. Fails with DAXC_ERROR_FAILED, naming the
 *   process, when one cannot be looked into: it might be the one.
 */
GPtrArray *daxc_holders(guint major, guint minor, GError **error);

/**
 * daxc_holders_all:
 * @major: of character devices
 *
 * The same in one pass for all devices with that major, and with more to each
 * process. One that is ending, and has no memory any more, is left out too.
 *
 * Returns: (transfer full) (element-type DaxcProcess): one for each process and
 *   device, in order of pid; instance is NULL. Fails like daxc_holders().
 */
GPtrArray *daxc_holders_all(guint major, GError **error);

/**
 * daxc_guest_holders:
 * @uuid: of a guest, canonical
 * @names: beginnings of what links in /proc/PID/fd say, NULL-terminated
 *
 * Looks for processes that say on their command line, after "-uuid", that they are
 * the guest's QEMU, and have something open that is called so.
 *
 * Returns: like daxc_holders().
 */
GPtrArray *daxc_guest_holders(const char *uuid, const char *const *names, GError **error);

G_END_DECLS
