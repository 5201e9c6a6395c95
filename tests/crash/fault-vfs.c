// SPDX-License-Identifier: GPL-2.0-or-later
/* A VFS over the default one that fails when it is told to. */
#include "tests/crash/fault-vfs.h"

#include <sqlite3.h>
#include <string.h>

/* The real file follows in the same allocation. */
typedef struct {
	sqlite3_file base;
	sqlite3_file *real;
} FaultFile;

static struct {
	FaultVfsCall call;
	guint countdown;
	int code;
	gboolean forever;
	gboolean fired;
} fault;

static sqlite3_vfs *real_vfs;
static sqlite3_mem_methods real_memory;

/* Returns: SQLITE_OK, or what the call is to return. */
static int strike(FaultVfsCall call)
{
	if (call != fault.call || (fault.fired && !fault.forever))
		return SQLITE_OK;
	if (!fault.fired && fault.countdown-- > 0)
		return SQLITE_OK;
	fault.fired = TRUE;
	return fault.code;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((FaultFile *)file)->real;
}

static int fault_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int fault_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	int code = strike(FAULT_READ);

	return code ? code
		    : real_of(file)->pMethods->xRead(real_of(file), data, size, at);
}

/* Half of it may be there when a disk is full. */
static int fault_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	int code = strike(FAULT_WRITE);

	if (code)
		size /= 2;
	if (size > 0) {
		int done = real_of(file)->pMethods->xWrite(real_of(file), data, size, at);

		return code ? code : done;
	}
	return code;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int code = strike(FAULT_TRUNCATE);

	return code ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
	int code = strike(FAULT_SYNC);

	return code ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
	int code = strike(FAULT_SIZE);

	return code ? code : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int fault_lock(sqlite3_file *file, int lock)
{
	int code = strike(FAULT_LOCK);

	return code ? code : real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int fault_unlock(sqlite3_file *file, int lock)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int fault_reserved(sqlite3_file *file, int *reserved)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int fault_control(sqlite3_file *file, int what, void *argument)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int fault_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int fault_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = fault_close,
	.xRead = fault_read,
	.xWrite = fault_write,
	.xTruncate = fault_truncate,
	.xSync = fault_sync,
	.xFileSize = fault_size,
	.xLock = fault_lock,
	.xUnlock = fault_unlock,
	.xCheckReservedLock = fault_reserved,
	.xFileControl = fault_control,
	.xSectorSize = fault_sector_size,
	.xDeviceCharacteristics = fault_characteristics,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		      int *out)
{
	FaultFile *mine = (FaultFile *)file;
	int code = strike(FAULT_OPEN);

	(void)vfs;
	file->pMethods = NULL;
	if (code)
		return code;
	mine->real = (sqlite3_file *)(mine + 1);
	memset(mine->real, 0, (size_t)real_vfs->szOsFile);
	code = real_vfs->xOpen(real_vfs, name, mine->real, flags, out);
	if (mine->real->pMethods)
		file->pMethods = &methods;
	return code;
}

static int fault_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	int code = strike(FAULT_ACCESS);

	(void)vfs;
	return code ? code : real_vfs->xAccess(real_vfs, name, flags, out);
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	int code = strike(FAULT_DELETE);

	(void)vfs;
	return code ? code : real_vfs->xDelete(real_vfs, name, sync);
}

static void *fault_malloc(int size)
{
	return strike(FAULT_MEMORY) ? NULL : real_memory.xMalloc(size);
}

static void *fault_realloc(void *old, int size)
{
	return strike(FAULT_MEMORY) ? NULL : real_memory.xRealloc(old, size);
}

static void install_memory(void)
{
	sqlite3_mem_methods memory;

	sqlite3_shutdown();
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
	memory = real_memory;
	memory.xMalloc = fault_malloc;
	memory.xRealloc = fault_realloc;
	/* Else most small allocations would never come to us. */
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
	sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
}

void fault_vfs_install(FaultVfsCall call, guint after, int code, gboolean forever)
{
	static sqlite3_vfs vfs;

	if (call == FAULT_MEMORY)
		install_memory();
	sqlite3_initialize();
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "fault";
	vfs.szOsFile = (int)sizeof(FaultFile) + real_vfs->szOsFile;
	vfs.pNext = NULL;
	vfs.xOpen = fault_open;
	vfs.xAccess = fault_access;
	vfs.xDelete = fault_delete;
	sqlite3_vfs_register(&vfs, 1);
	fault.call = call;
	fault.countdown = after;
	fault.code = code;
	fault.forever = forever;
}

gboolean fault_vfs_fired(void)
{
	return fault.fired;
}
