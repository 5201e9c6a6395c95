// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading files that somebody else wrote: bounded, and only regular ones, so
 * that neither a FIFO nor /dev/zero in their place can hang or fill us.
 */
#include "adapters/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>
#include <daxcolor/size.h>

#define READ_STEP ((gsize)1 << 16)

static gboolean fail(const char *path, int code, GError **error)
{
	gboolean missing = code == ENOENT || code == ENOTDIR;
	gboolean denied = code == EACCES || code == EPERM;

	g_set_error(error, DAXC_ERROR, missing ? DAXC_ERROR_NOT_FOUND : DAXC_ERROR_FAILED,
		    "cannot read %s: %s%s", path, g_strerror(code),
		    denied ? ": run this as root" : "");
	return FALSE;
}

static gboolean read_all(int fd, const char *path, gsize max, GByteArray *content,
			 GError **error)
{
	while (content->len <= max) {
		gsize had = content->len;
		gsize step = MIN(READ_STEP, max + 1 - had);
		ssize_t got;

		g_byte_array_set_size(content, had + step);
		do {
			got = read(fd, content->data + had, step);
		} while (got < 0 && errno == EINTR);
		if (got < 0)
			return fail(path, errno, error);
		g_byte_array_set_size(content, had + (gsize)got);
		if (got == 0)
			return TRUE;
	}
	return TRUE;
}

static gboolean read_regular(int fd, const char *path, gsize max, GByteArray *content,
			     GError **error)
{
	g_autofree char *limit = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(path, errno, error);
	if (!S_ISREG(st.st_mode)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
			    "%s is not a regular file", path);
		return FALSE;
	}
	if (!read_all(fd, path, max, content, error))
		return FALSE;
	if (content->len <= max)
		return TRUE;
	limit = daxc_size_format(max);
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "%s is longer than %s, the most that it can sensibly be", path,
		    limit);
	return FALSE;
}

gboolean daxc_file_read(const char *path, gsize max, char **data, gsize *length,
			GError **error)
{
	g_autoptr(GByteArray) content = g_byte_array_new();
	gboolean ok;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail(path, errno, error);
	ok = read_regular(fd, path, max, content, error);
	close(fd);
	if (!ok)
		return FALSE;
	*length = content->len;
	g_byte_array_append(content, (const guint8 *)"", 1);
	*data = (char *)g_byte_array_free(g_steal_pointer(&content), FALSE);
	return TRUE;
}
