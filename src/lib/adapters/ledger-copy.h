/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy of the ledger somewhere else: as an object of a store of dax_color's (its
 * device, /dev/blob-daxR.N: driver/ABI.md), where it travels with the memory that it
 * speaks of, or as a file. It may be old; who uses it finds that out by the ledger's
 * serial number.
 */
#pragma once

#include "adapters/ledger.h"

G_BEGIN_DECLS

/* Replaces the copy at @to as a whole. */
gboolean daxc_ledger_copy_write(DaxcLedger *ledger, const char *to, GError **error);

/**
 * daxc_ledger_copy_restore:
 * @path: of a ledger that is not there; its directory is made
 *
 * Fails with DAXC_ERROR_NOT_FOUND when there is no copy, DAXC_ERROR_LEDGER when it is no
 * ledger; then nothing is at @path.
 */
gboolean daxc_ledger_copy_restore(const char *from, const char *path, GError **error);

G_END_DECLS
