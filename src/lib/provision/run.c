// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a running host remembers besides the ledger, in a directory that is empty
 * after a boot:
 *
 *   serial   the ledger's serial number when the kernel was last about to change:
 *            a ledger with a smaller one is an older copy, and does not know what
 *            has become of its clean granules
 *   scrub    somebody left dirty granules; daxcolor-scrub.path waits for it
 */
#include "provision/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

/* All digits that a number can have, so that one overwrites another whole. */
#define SERIAL_FORMAT "%020" G_GUINT64_FORMAT "\n"
#define SERIAL_LENGTH 21

static int open_in_run(const DaxcHost *host, const char *name)
{
	g_autofree char *path = g_build_filename(host->run_dir, name, NULL);

	if (g_mkdir_with_parents(host->run_dir, 0755) != 0)
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static gboolean parse_serial(char *text, gsize length, guint64 *serial)
{
	return length == SERIAL_LENGTH && text[length - 1] == '\n' &&
	       daxc_uint_parse(g_strchomp(text), "serial", G_MAXINT64, serial, NULL);
}

gboolean daxc_run_read_serial(const DaxcHost *host, guint64 *serial)
{
	g_autoptr(GError) failure = NULL;
	char *path, *text = NULL;
	gsize length;
	gboolean ok;

	*serial = 0;
	if (!host->run_dir)
		return TRUE;
	path = g_build_filename(host->run_dir, "serial", NULL);
	if (g_file_get_contents(path, &text, &length, &failure))
		ok = parse_serial(text, length, serial);
	else
		ok = g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT);
	g_free(text);
	g_free(path);
	return ok;
}

gboolean daxc_run_write_serial(const DaxcHost *host, guint64 serial, GError **error)
{
	char text[32];
	int length = g_snprintf(text, sizeof(text), SERIAL_FORMAT, serial);
	gboolean ok;
	int fd;

	if (!host->run_dir)
		return TRUE;
	fd = open_in_run(host, "serial");
	ok = fd >= 0 && pwrite(fd, text, (gsize)length, 0) == length;
	if (!ok)
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot note in %s/serial that the ledger changes: %s",
			    host->run_dir, g_strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

void daxc_run_nudge_scrubber(const DaxcHost *host)
{
	int fd;

	if (!host->run_dir)
		return;
	fd = open_in_run(host, "scrub");
	/* Whoever needs the memory zeroes it then; only the time is lost. */
	if (fd < 0)
		g_warning("cannot make %s/scrub, so that nobody zeroes freed memory now: "
			  "%s",
			  host->run_dir, g_strerror(errno));
	else
		close(fd);
}
