/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes and addresses as people write them. Every program of daxcolor reads
 * and prints them through these functions only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * daxc_size_parse:
 * @text: a decimal number with an optional unit K, M, G, T, P, each also
 *   spelled KiB, MiB, ... (powers of 1024, letters in any case); or a
 *   hexadecimal number of bytes with 0x and no unit. No sign, no spaces
 *   inside, no fraction.
 * @bytes: (out): the size in bytes; untouched on error
 *
 * Fails with DAXC_ERROR_INVALID on anything else and on overflow of 64 bits.
 */
gboolean daxc_size_parse(const char *text, guint64 *bytes, GError **error);

/**
 * daxc_size_format:
 *
 * Returns: (transfer full): @bytes in the largest IEC unit in which at most
 *   two decimals say it exactly: "2 GiB", "1.5 GiB", "2050 MiB", "12 B".
 */
char *daxc_size_format(guint64 bytes);

/**
 * daxc_range_format:
 * @start: first byte
 * @size: bytes, at least 1
 *
 * Returns: (transfer full): the range as the kernel writes one in sysfs,
 *   hexadecimal and with an inclusive end: "0x140000000-0x17fffffff".
 */
char *daxc_range_format(guint64 start, guint64 size);

/**
 * daxc_range_parse:
 *
 * Reads what daxc_range_format() writes. Fails with DAXC_ERROR_INVALID when
 * the text is anything else or its end is below its start.
 */
gboolean daxc_range_parse(const char *text, guint64 *start, guint64 *size,
			  GError **error);

/**
 * daxc_uint_parse:
 * @what: what the number is, for the message ("cell id")
 *
 * Reads a plain decimal number of at most @max, no sign, no spaces.
 * Fails with DAXC_ERROR_INVALID.
 */
gboolean daxc_uint_parse(const char *text, const char *what, guint64 max, guint64 *value,
			 GError **error);

G_END_DECLS
