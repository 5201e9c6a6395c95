// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads /dev/kmsg: a record each read(2), "PREFIX,SEQUENCE,TIME,FLAGS;TEXT\n", then
 * lines that begin with a blank (Documentation/ABI/testing/dev-kmsg).
 */
#include "adapters/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <daxcolor/error.h>

/* The kernel's CONSOLE_EXT_LOG_MAX; a smaller buffer gets EINVAL. */
#define RECORD_MAX 8192
/* Prefixes are facility * 8 + level; facility 0 is the kernel's own, and what
 * programs write there gets another. */
#define KERNEL_PREFIXES 8
#define PAGE_SHIFT 12
#define PFN_MAX (G_GUINT64_CONSTANT(1) << (52 - PAGE_SHIFT))

/* Only at the beginning: further on, a process's own name may stand. */
static const char failure_text[] = "Memory failure: 0x";

static gboolean find_pfn(const char *record, guint64 *pfn)
{
	const char *text = strchr(record, ';');
	char *end;

	if (!text || !g_ascii_isdigit(*record) ||
	    g_ascii_strtoull(record, &end, 10) >= KERNEL_PREFIXES || *end != ',')
		return FALSE;
	text++;
	if (!g_str_has_prefix(text, failure_text))
		return FALSE;
	text += strlen(failure_text);
	if (!g_ascii_isxdigit(*text))
		return FALSE;
	*pfn = g_ascii_strtoull(text, &end, 16);
	return *end == ':' && *pfn < PFN_MAX;
}

static gint compare_addresses(gconstpointer a, gconstpointer b)
{
	guint64 one = *(const guint64 *)a, other = *(const guint64 *)b;

	return (one > other) - (one < other);
}

static void add_line(GArray *found, const char *line)
{
	guint64 pfn;

	if (!find_pfn(line, &pfn))
		return;
	pfn <<= PAGE_SHIFT;
	g_array_append_val(found, pfn);
}

static void add_lines(GArray *found, char *text)
{
	char *rest = text;

	while (rest) {
		char *line = strsep(&rest, "\n");

		add_line(found, line);
	}
}

/* The same page is logged again whenever somebody meets it. */
static void sort_out(GArray *found)
{
	guint kept = 0;

	g_array_sort(found, compare_addresses);
	for (guint i = 0; i < found->len; i++) {
		guint64 address = g_array_index(found, guint64, i);

		if (kept == 0 || g_array_index(found, guint64, kept - 1) != address)
			g_array_index(found, guint64, kept++) = address;
	}
	g_array_set_size(found, kept);
}

GArray *daxc_kmsg_failures(const char *path, GError **error)
{
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint64));
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[RECORD_MAX + 1];
	ssize_t n = -1;
	int code = errno;

	while (fd >= 0 && (n = read(fd, record, RECORD_MAX)) != 0) {
		code = errno;
		/* EPIPE: overtaken by new records; the next read is at the oldest. */
		if (n < 0 && (code == EPIPE || code == EINTR))
			continue;
		if (n < 0)
			break;
		record[n] = '\0';
		add_lines(found, record);
	}
	if (fd >= 0)
		close(fd);
	if (fd < 0 || (n < 0 && code != EAGAIN)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot look for memory failures in the kernel's log, %s: %s",
			    path, g_strerror(code));
		return NULL;
	}
	sort_out(found);
	return g_steal_pointer(&found);
}
