// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sizes, ranges and numbers as text. */
#include <daxcolor/size.h>

#include <errno.h>
#include <string.h>

#include <daxcolor/error.h>

static const char units[] = "KMGTP";

/* Bits to shift for the unit at @text, or -1 when it is no unit. */
static int unit_shift(const char *text)
{
	const char *unit;

	if (*text == '\0')
		return 0;
	unit = strchr(units, g_ascii_toupper(*text));
	if (!unit)
		return -1;
	if (text[1] != '\0' && g_ascii_strcasecmp(text + 1, "iB") != 0)
		return -1;
	return 10 * (int)(unit - units + 1);
}

static gboolean parse_hex(const char *text, guint64 *value, const char **end)
{
	char *stop;

	if (!g_str_has_prefix(text, "0x") || !g_ascii_isxdigit(text[2]))
		return FALSE;
	errno = 0;
	*value = g_ascii_strtoull(text + 2, &stop, 16);
	*end = stop;
	return errno == 0;
}

gboolean daxc_size_parse(const char *text, guint64 *bytes, GError **error)
{
	const char *end;
	guint64 value;
	int shift = 0;
	gboolean ok;

	ok = parse_hex(text, &value, &end);
	if (ok) {
		ok = *end == '\0';
	} else if (g_ascii_isdigit(text[0])) {
		char *stop;

		errno = 0;
		value = g_ascii_strtoull(text, &stop, 10);
		shift = unit_shift(stop);
		ok = errno == 0 && shift >= 0;
	}
	if (!ok || value > G_MAXUINT64 >> shift) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "\"%s\" is not a size: write a whole number with a unit, "
			    "like 8G or 512MiB",
			    text);
		return FALSE;
	}
	*bytes = value << shift;
	return TRUE;
}

char *daxc_size_format(guint64 bytes)
{
	int power;

	for (power = (int)strlen(units); power > 0; power--) {
		guint64 unit = G_GUINT64_CONSTANT(1) << (10 * power);
		guint64 whole = bytes / unit;
		guint64 rest = bytes % unit;
		guint hundredths;

		if (whole == 0)
			continue;
		if (rest == 0)
			return g_strdup_printf("%" G_GUINT64_FORMAT " %ciB", whole,
					       units[power - 1]);
		/* Exact only in quarters of a unit: 25 * 4 = 100. */
		if (rest % (unit / 4) != 0)
			continue;
		hundredths = (guint)(rest / (unit / 4)) * 25;
		if (hundredths % 10 == 0)
			return g_strdup_printf("%" G_GUINT64_FORMAT ".%u %ciB", whole,
					       hundredths / 10, units[power - 1]);
		return g_strdup_printf("%" G_GUINT64_FORMAT ".%02u %ciB", whole,
				       hundredths, units[power - 1]);
	}
	return g_strdup_printf("%" G_GUINT64_FORMAT " B", bytes);
}

char *daxc_range_format(guint64 start, guint64 size)
{
	return g_strdup_printf("0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x",
			       start, start + size - 1);
}

gboolean daxc_range_parse(const char *text, guint64 *start, guint64 *size, GError **error)
{
	const char *rest;
	guint64 first, last;

	if (!parse_hex(text, &first, &rest) || *rest != '-' ||
	    !parse_hex(rest + 1, &last, &rest) || *rest != '\0' || last < first ||
	    last - first == G_MAXUINT64) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "\"%s\" is not a range: write first and last byte in "
			    "hexadecimal, like 0x140000000-0x17fffffff",
			    text);
		return FALSE;
	}
	*start = first;
	*size = last - first + 1;
	return TRUE;
}

gboolean daxc_uint_parse(const char *text, const char *what, guint64 max, guint64 *value,
			 GError **error)
{
	guint64 number = 0;

	if (g_ascii_isdigit(text[0]) &&
	    g_ascii_string_to_unsigned(text, 10, 0, max, &number, NULL)) {
		*value = number;
		return TRUE;
	}
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%s \"%s\" is not a whole number from 0 to %" G_GUINT64_FORMAT, what,
		    text, max);
	return FALSE;
}
