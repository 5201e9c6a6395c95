/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one error domain of daxcolor. Messages are whole: they name the thing,
 * the reason and, where it is known, the way out; a caller adds context once,
 * with g_prefix_error().
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DAXC_ERROR (daxc_error_quark())

/**
 * DaxcError:
 * @DAXC_ERROR_INVALID: what was handed in is malformed (file, XML, argument,
 *   sysfs content); nothing was changed.
 * @DAXC_ERROR_REFUSED: well formed, but this host cannot grant it now.
 * @DAXC_ERROR_BUSY: somebody else uses it, or a lock was not free in time.
 * @DAXC_ERROR_NOT_FOUND: no such region, instance, domain or file.
 * @DAXC_ERROR_UNSUPPORTED: this host, kernel or build cannot do it.
 * @DAXC_ERROR_KERNEL: the kernel refused, or did something else than asked.
 * @DAXC_ERROR_LEDGER: the ledger cannot be read or written.
 * @DAXC_ERROR_FAILED: any other failure of the system (I/O, lack of memory).
 * @DAXC_ERROR_MEMORY: memory failed: it cannot be read, or does not hold what was
 *   written.
 * @DAXC_ERROR_CANCELED: the caller's own proceed function said stop.
 */
typedef enum {
	DAXC_ERROR_INVALID,
	DAXC_ERROR_REFUSED,
	DAXC_ERROR_BUSY,
	DAXC_ERROR_NOT_FOUND,
	DAXC_ERROR_UNSUPPORTED,
	DAXC_ERROR_KERNEL,
	DAXC_ERROR_LEDGER,
	DAXC_ERROR_FAILED,
	DAXC_ERROR_MEMORY,
	DAXC_ERROR_CANCELED,
} DaxcError;

GQuark daxc_error_quark(void);

G_END_DECLS
