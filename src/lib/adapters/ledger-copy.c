// SPDX-License-Identifier: LGPL-2.1-or-later
#include "adapters/ledger-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daxcolor/error.h>

#include "adapters/file.h"
#include "adapters/ledger-db.h"
#include "driver/dax_color_blob.h"

#define OBJECT "ledger.db"

static gboolean failed(GError **error, const char *doing, const char *path, int code)
{
	g_set_error(error, DAXC_ERROR,
		    code == ENOENT ? DAXC_ERROR_NOT_FOUND : DAXC_ERROR_FAILED,
		    "cannot %s the copy of the ledger in %s: %s", doing, path,
		    g_strerror(code));
	return FALSE;
}

static gboolean is_store(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISCHR(status.st_mode);
}

/* Returns: 0 or an errno; @object->size is that of the object afterwards. */
static int object_do(const char *path, unsigned long command,
		     struct dax_color_blob *object)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		return errno;
	g_strlcpy(object->name, OBJECT, sizeof(object->name));
	if (ioctl(fd, command, object) != 0)
		code = errno;
	close(fd);
	return code;
}

static gboolean write_to_store(const char *to, const void *bytes, gsize size,
			       GError **error)
{
	struct dax_color_blob object = {.data = (guintptr)bytes, .size = size};
	int code = object_do(to, DAX_COLOR_BLOB_PUT, &object);

	return code == 0 || failed(error, "write", to, code);
}

gboolean daxc_ledger_copy_write(DaxcLedger *ledger, const char *to, GError **error)
{
	sqlite3_int64 size = 0;
	unsigned char *bytes = sqlite3_serialize(ledger->db, "main", &size, 0);
	gboolean ok;

	if (!bytes)
		return failed(error, "write", to, ENOMEM);
	ok = is_store(to) ? write_to_store(to, bytes, (gsize)size, error)
			  : g_file_set_contents_full(to, (const char *)bytes, size,
						     G_FILE_SET_CONTENTS_CONSISTENT |
							     G_FILE_SET_CONTENTS_DURABLE,
						     0600, error);
	sqlite3_free(bytes);
	return ok;
}

static gboolean read_from_store(const char *from, char **bytes, gsize *size,
				GError **error)
{
	struct dax_color_blob object = {.size = 0};
	int code = object_do(from, DAX_COLOR_BLOB_GET, &object);

	/* Which says how much room it takes; somebody may be replacing it. */
	while (code == ERANGE && object.size <= DAX_COLOR_BLOB_MOST) {
		g_free(*bytes);
		*bytes = g_malloc(object.size);
		object.data = (guintptr)*bytes;
		code = object_do(from, DAX_COLOR_BLOB_GET, &object);
	}
	*size = object.size;
	return code == 0 || failed(error, "read", from, code);
}

/* Whether it can be opened as one; under a name that nobody looks for. */
static gboolean check(const char *path, GError **error)
{
	g_autoptr(DaxcLedger)
		ledger = daxc_ledger_open(path, DAXC_LEDGER_READ_ONLY, 0, error);

	return ledger && daxc_ledger_check(ledger, error);
}

static gboolean put_in_place(const char *path, const char *bytes, gsize size,
			     GError **error)
{
	g_autofree char *dir = g_path_get_dirname(path);
	g_autofree char *name = g_strconcat(path, ".copy", NULL);

	if (g_mkdir_with_parents(dir, 0700) != 0)
		return failed(error, "use", dir, errno);
	if (!g_file_set_contents_full(name, bytes, (gssize)size,
				      G_FILE_SET_CONTENTS_CONSISTENT |
					      G_FILE_SET_CONTENTS_DURABLE,
				      0600, error))
		return FALSE;
	if (check(name, error) && g_rename(name, path) == 0)
		return TRUE;
	g_unlink(name);
	if (error && !*error)
		failed(error, "use", name, errno);
	return FALSE;
}

gboolean daxc_ledger_copy_restore(const char *from, const char *path, GError **error)
{
	g_autofree char *bytes = NULL;
	gsize size = 0;

	if (is_store(from)
		    ? !read_from_store(from, &bytes, &size, error)
		    : !daxc_file_read(from, DAX_COLOR_BLOB_MOST, &bytes, &size, error))
		return FALSE;
	/* SQLite takes that for a database of nothing. */
	if (size == 0)
		return failed(error, "use", from, ENODATA);
	return put_in_place(path, bytes, size, error);
}
