// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Persistent data of type blob: a thousand objects through detaching and attaching, and,
 * in parts that scripts put together (blobs.sh), through reloading the module, kexec, and
 * a reset while one of them is replaced; images that are not what they seem to be.
 */
#include "dax.h"
#include "kmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/dax_color_blob.h"

#define OBJECTS 1000u
#define VICTIM_SIZE (40 * 4096 + 5)

/* ---- the device ---- */

static int store_open(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/blob-%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int object_do(int fd, unsigned long command, struct dax_color_blob *object,
		     const char *name)
{
	snprintf(object->name, sizeof(object->name), "%s", name);
	return ioctl(fd, command, object) ? errno : 0;
}

static int object_put(int fd, const char *name, const void *data, size_t size,
		      unsigned int flags)
{
	struct dax_color_blob object = {
		.data = (uintptr_t)data, .size = size, .flags = flags};

	return object_do(fd, DAX_COLOR_BLOB_PUT, &object, name);
}

static int object_get(int fd, const char *name, void *data, size_t *size)
{
	struct dax_color_blob object = {.data = (uintptr_t)data, .size = *size};
	int code = object_do(fd, DAX_COLOR_BLOB_GET, &object, name);

	*size = object.size;
	return code;
}

static int object_delete(int fd, const char *name)
{
	struct dax_color_blob object = {0};

	return object_do(fd, DAX_COLOR_BLOB_DELETE, &object, name);
}

static struct dax_color_blob_info store_info(int fd)
{
	struct dax_color_blob_info info;

	if (ioctl(fd, DAX_COLOR_BLOB_INFO, &info))
		die("INFO: %s", strerror(errno));
	return info;
}

/* ---- objects that can be told from all others ---- */

static uint64_t scrambled(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x7fb5d329728ea185);
	return x ^ x >> 27;
}

static size_t size_of(unsigned int number)
{
	return number % 50 == 0 ? number / 50 : scrambled(number + options.seed) % 70000;
}

static unsigned char *data_of(uint64_t number, size_t size)
{
	uint64_t *words = calloc(size / 8 + 1, 8);

	if (!words)
		die("no memory");
	for (size_t i = 0; i <= size / 8; i++)
		words[i] = scrambled(number << 32 | i);
	return (unsigned char *)words;
}

static bool has_object(int fd, const char *name, uint64_t number, size_t size)
{
	unsigned char *expected = data_of(number, size), *got = calloc(size + 1, 1);
	size_t length = size;
	bool same = object_get(fd, name, got, &length) == 0 && length == size &&
		    memcmp(got, expected, size) == 0;

	free(expected);
	free(got);
	return same;
}

static void put_objects(int fd)
{
	unsigned int failed = 0;
	char name[32];

	for (unsigned int i = 0; i < OBJECTS; i++) {
		unsigned char *data = data_of(i, size_of(i));

		snprintf(name, sizeof(name), "object %u", i);
		failed += object_put(fd, name, data, size_of(i), DAX_COLOR_BLOB_NEW) != 0;
		free(data);
	}
	ok(failed == 0, "blobs: %u objects are written", OBJECTS);
}

static bool has_objects(int fd, const char *when)
{
	unsigned int right = 0;
	char name[32];

	for (unsigned int i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), "object %u", i);
		right += has_object(fd, name, i, size_of(i));
	}
	return ok(right == OBJECTS, "blobs: %u of %u are what they were: %s", right,
		  OBJECTS, when);
}

static unsigned int listed(int fd)
{
	struct dax_color_blob_entry entries[37];
	struct dax_color_blob_list list = {.entries = (uintptr_t)entries};
	unsigned int count = 0, number;

	do {
		list.nr = 37;
		if (ioctl(fd, DAX_COLOR_BLOB_LIST, &list))
			die("LIST: %s", strerror(errno));
		for (unsigned int i = 0; i < list.nr; i++) {
			if (sscanf(entries[i].name, "object %u", &number) == 1 &&
			    entries[i].size == size_of(number))
				count++;
		}
	} while (list.nr);
	return count;
}

/* ---- the interface ---- */

static void interface(int fd)
{
	struct dax_color_blob_info before = store_info(fd);
	char text[16] = "";
	size_t size = 2;

	ok_errno(ENOENT, object_get(fd, "none", text, &size),
		 "blobs: GET of what is not there");
	ok_errno(ENOENT, object_delete(fd, "none"), "blobs: DELETE of what is not there");
	ok_errno(EINVAL, object_put(fd, "", "x", 1, 0), "blobs: PUT without a name");
	ok_errno(EINVAL, object_put(fd, "a/b", "x", 1, 0), "blobs: PUT with a slash");
	ok_errno(EINVAL, object_put(fd, "a", "x", 1, 8),
		 "blobs: PUT with an unknown flag");
	ok_errno(EFBIG, object_put(fd, "a", "x", DAX_COLOR_BLOB_MOST + 1, 0),
		 "blobs: PUT of too much");
	ok_errno(EFAULT, object_put(fd, "a", (void *)8, 10000, 0),
		 "blobs: PUT of what cannot be read");
	ok_errno(0, object_put(fd, "a", "first", 5, 0), "blobs: PUT");
	ok_errno(EEXIST, object_put(fd, "a", "second", 6, DAX_COLOR_BLOB_NEW),
		 "blobs: PUT of a new one that is not");
	size = 2;
	ok_errno(ERANGE, object_get(fd, "a", text, &size),
		 "blobs: GET with too little room");
	ok(size == 5, "blobs: which says how much it takes");
	ok_errno(EFAULT, object_get(fd, "a", (void *)8, &size),
		 "blobs: GET to where it cannot be written");
	ok_errno(0, object_put(fd, "a", "second", 6, 0), "blobs: PUT instead");
	size = sizeof(text);
	ok(object_get(fd, "a", text, &size) == 0 && size == 6 &&
		   memcmp(text, "second", 6) == 0,
	   "blobs: GET");
	ok_errno(0, object_delete(fd, "a"), "blobs: DELETE");
	ok_errno(ENOTTY, ioctl(fd, _IO(0xdc, 77)) ? errno : 0,
		 "blobs: an ioctl that is none");
	ok(memcmp(&before, &(struct dax_color_blob_info){0}, 8) == 0 &&
		   store_info(fd).pages == before.pages,
	   "blobs: no page is lost");
}

static int attach(const char *name, const char *mode)
{
	int fd;

	ok_errno(0, kmem_mode(name, mode), "blobs: %s", mode);
	if (!kmem_offline_is_readable())
		kmem_set_blocks("online_movable");
	fd = store_open(name);
	ok(fd >= 0, "blobs: its device can be opened");
	return fd;
}

static void detach(const char *name, int fd)
{
	ok_errno(EBUSY, kmem_mode(name, "devdax"),
		 "blobs: not detached while it is open");
	close(fd);
	ok_errno(0, kmem_mode(name, "devdax"), "blobs: detached");
	ok(store_open(name) < 0 && errno == ENOENT, "blobs: then there is no device");
}

void test_blobs(void)
{
	char name[NAME_SIZE];
	int fd;

	make(name, 2 * MIB, GIB);
	fd = attach(name, "kmem-persist blob");
	interface(fd);
	kmem_set_blocks("online_movable");
	put_objects(fd);
	ok(listed(fd) == OBJECTS, "blobs: all are listed");
	has_objects(fd, "at once");
	detach(name, fd);
	fd = attach(name, "kmem-persist");
	has_objects(fd, "attached again, offline");
	kmem_set_blocks("online_movable");
	has_objects(fd, "online");
	ok(listed(fd) == OBJECTS && store_info(fd).objects == OBJECTS,
	   "blobs: all are listed still");
	detach(name, fd);
	kmem_drop(name);
}

/* Leaves an instance with objects, attached. */
void test_blobs_write(void)
{
	char name[NAME_SIZE];
	int fd;

	make(name, 2 * MIB, GIB);
	fd = attach(name, "kmem-persist blob");
	kmem_set_blocks("online_movable");
	put_objects(fd);
	has_objects(fd, "before");
	close(fd);
}

static int adopt(char name[NAME_SIZE])
{
	if (create(name))
		die("no instance");
	ok_errno(ENODATA, instance_put(name, "adopt", "0x%" PRIx64, region.start + GIB),
		 "blobs: nothing is adopted where there is nothing");
	ok_errno(0, instance_put(name, "adopt", "0x%" PRIx64, region.start),
		 "blobs: what is there is adopted");
	ok(instance_number(name, "size") == GIB, "blobs: all of it");
	ok(open_instance(name) < 0 && errno == EBUSY, "blobs: and cannot be mapped");
	return attach(name, "kmem-persist");
}

/* What test_blobs_write() has left, after whatever has happened to the driver. */
void test_blobs_read(void)
{
	char name[NAME_SIZE];
	int fd = adopt(name);

	has_objects(fd, "afterwards");
	detach(name, fd);
	kmem_drop(name);
}

/* ---- a reset in the middle of it ---- */

/* Replaces one object again and again, until somebody makes an end of everything. */
void test_blobs_replace(void)
{
	char name[NAME_SIZE];
	int fd;

	make(name, 2 * MIB, GIB);
	fd = attach(name, "kmem-persist blob");
	put_objects(fd);
	for (uint64_t number = 1;; number++) {
		uint64_t *data = (uint64_t *)data_of(number, VICTIM_SIZE);

		data[0] = number;
		if (object_put(fd, "victim", data, VICTIM_SIZE, 0))
			die("PUT: %s", strerror(errno));
		free(data);
		if (number == 3)
			note("replacing");
	}
}

void test_blobs_replaced(void)
{
	static uint64_t got[VICTIM_SIZE / 8 + 1];
	size_t size = sizeof(got);
	char name[NAME_SIZE];
	uint64_t *expected;
	int fd = adopt(name);

	has_objects(fd, "after a reset");
	ok_errno(0, object_get(fd, "victim", got, &size),
		 "blobs: what was being replaced is there");
	expected = (uint64_t *)data_of(got[0], VICTIM_SIZE);
	expected[0] = got[0];
	ok(size == VICTIM_SIZE && memcmp(got, expected, size) == 0,
	   "blobs: it is one of them, number %" PRIu64 ", and no mixture", got[0]);
	ok(store_info(fd).objects == OBJECTS + 1, "blobs: there is nothing else");
	free(expected);
	detach(name, fd);
	kmem_drop(name);
}

/* ---- evil images ---- */

static size_t load(const char *directory, const char *file, char *bytes, size_t most)
{
	char path[1024];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, bytes, most);
	if (size <= 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return size;
}

static int errno_of(const char *file)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {
		{"EBADMSG.", EBADMSG}, {"EOPNOTSUPP.", EOPNOTSUPP}, {"EUCLEAN.", EUCLEAN},
		{"EEXIST.", EEXIST},   {"ENOENT.", ENOENT},	    {"good.", 0},
	};

	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strncmp(file, codes[i].name, strlen(codes[i].name)) == 0)
			return codes[i].code;
	die("%s does not begin with an errno", file);
}

static void image(const char *directory, const char *file)
{
	static char bytes[1 << 20];
	size_t size = load(directory, file, bytes, sizeof(bytes));
	int code = errno_of(file);
	char name[NAME_SIZE];

	make(name, 2 * MIB, GIB);
	kmem_write(name, bytes, size);
	ok_errno(code, kmem_mode(name, "kmem-persist"), "images: %s", file);
	if (code) {
		if (code != EBADMSG)
			ok_errno(EEXIST, kmem_mode(name, "kmem-persist eighth"),
				 "images: %s, as another type", file);
		ok(kmem_still_has(name, bytes, size),
		   "images: %s: nothing is overwritten", file);
	} else {
		ok_errno(0, kmem_mode(name, "devdax"), "images: %s: detached", file);
	}
	kmem_drop(name);
}

/* In $DAXCOLOR_IMAGES: ERRNO.WHAT.img, made by tests/unit/test-blob. */
void test_images(void)
{
	const char *directory = getenv("DAXCOLOR_IMAGES");
	DIR *images = opendir(directory ? directory : ".");
	unsigned int count = 0;
	struct dirent *entry;

	while (images && (entry = readdir(images))) {
		if (!strstr(entry->d_name, ".img"))
			continue;
		image(directory, entry->d_name);
		count++;
	}
	ok(count >= 8, "images: there are %u", count);
	if (images)
		closedir(images);
}
