// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claims: whose an instance alone is, by user space's attributes and by a module.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dax.h"

#define RED "11111111-1111-4111-8111-111111111111"
#define BLUE "22222222-2222-4222-8222-222222222222"
#define NIL "00000000-0000-0000-0000-000000000000"
#define MODULE "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
#define PARAMETERS "/sys/module/dax_color_claimant/parameters/"

static char a[NAME_SIZE], b[NAME_SIZE], c[NAME_SIZE], empty[NAME_SIZE];

static int class_put(const char *attribute, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/dax/%s", attribute);
	return put(path, text, strlen(text));
}

static int claim(const char *who, const char *first, const char *second,
		 const char *third)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s %s %s\n", who, first, second, third);
	return class_put("claim", text);
}

static int release(const char *who, const char *first, const char *second,
		   const char *third)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s %s %s\n", who, first, second, third);
	return class_put("release", text);
}

static void claimed(const char *name, const char *expected, const char *when)
{
	char *is = instance_get(name, "claim");

	ok(strcmp(is, expected) == 0, "claim of %s is '%s' %s (%s)", name, expected, when,
	   is);
	free(is);
}

static void all_free(const char *when)
{
	claimed(a, "-", when);
	claimed(b, "-", when);
	claimed(c, "-", when);
}

static void test_words(void)
{
	char text[4096];

	ok_errno(EINVAL, class_put("claim", "\n"), "claim: a newline");
	ok_errno(EINVAL, class_put("claim", RED), "claim: no name");
	ok_errno(EINVAL, class_put("claim", RED " shared"), "claim: shared, and no name");
	ok_errno(EINVAL, claim("red", a, "", ""), "claim: no UUID");
	ok_errno(EINVAL, claim(RED "1", a, "", ""), "claim: more than a UUID");
	ok_errno(EINVAL, claim(NIL, a, "", ""), "claim: the nil UUID");
	ok_errno(ENODEV, claim(RED, "dax99.99", "", ""), "claim: no such instance");
	ok_errno(ENODEV, claim(RED, a, "dax99.99", ""),
		 "claim: a second one that is none");
	ok_errno(ENODEV, claim(RED, a, "shared", ""), "claim: shared at the wrong place");
	ok_errno(ENXIO, claim(RED, empty, "", ""), "claim: an instance without memory");
	ok_errno(EINVAL, class_put("release", "\n"), "release: a newline");
	ok_errno(EINVAL, class_put("release", "red"), "release: no UUID");
	ok_errno(EINVAL, class_put("release", NIL), "release: the nil UUID, everywhere");
	ok_errno(EINVAL, release(RED " shared", a, "", ""), "release: shared");
	ok_errno(ENODEV, release(RED, "dax99.99", "", ""), "release: no such instance");
	ok_errno(EPERM, release(RED, a, "", ""), "release: what nobody has claimed");
	snprintf(text, sizeof(text), RED);
	for (int i = 0; i < 128; i++)
		strcat(strcat(text, " "), a);
	ok_errno(0, class_put("claim", text), "claim: 128 names");
	claimed(a, RED " 128", "by 128 names");
	ok_errno(0, class_put("release", text), "release: 128 names");
	strcat(strcat(text, " "), a);
	ok_errno(EINVAL, class_put("claim", text), "claim: 129 names");
	all_free("after bad words");
}

static void test_one(void)
{
	ok_errno(0, claim(RED, a, "", ""), "red claims");
	claimed(a, RED " 1", "after one claim");
	ok_errno(0, claim(RED, a, "", ""), "red claims again");
	claimed(a, RED " 2", "after two");
	ok_errno(EBUSY, claim(BLUE, a, "", ""), "blue is refused");
	ok_errno(EBUSY, claim(BLUE " shared", a, "", ""), "blue is refused, shared too");
	ok_errno(EBUSY, claim(RED " shared", a, "", ""), "red is refused the other way");
	ok_errno(EPERM, release(BLUE, a, "", ""), "a stranger's release");
	ok_errno(EPERM, release(RED, a, a, a), "one release more than claims");
	claimed(a, RED " 2", "after refused releases");
	ok_errno(0, release(RED, a, "", ""), "red releases");
	claimed(a, RED " 1", "after one release");
	ok_errno(EBUSY, claim(BLUE, a, "", ""), "blue is still refused");
	ok_errno(0, release(RED, a, "", ""), "red releases again");
	claimed(a, "-", "after all releases");
	ok_errno(EPERM, release(RED, a, "", ""), "one release too many");
	ok_errno(0, claim(BLUE, a, "", ""), "blue may, now");
	ok_errno(0, release(BLUE, a, "", ""), "and releases");
	ok_errno(0, claim(RED, a, a, ""), "one name twice counts twice");
	claimed(a, RED " 2", "after its name twice");
	ok_errno(0, release(RED, a, a, ""), "and is released twice");
	all_free("at the end");
}

static void test_all_or_none(void)
{
	ok_errno(0, claim(BLUE, b, "", ""), "blue has the one in the middle");
	ok_errno(EBUSY, claim(RED, a, b, c), "red wants three");
	claimed(a, "-", "when the second was refused");
	claimed(b, BLUE " 1", "when the second was refused");
	claimed(c, "-", "when the second was refused");
	ok_errno(ENXIO, claim(RED, a, c, empty), "the third has no memory");
	claimed(a, "-", "when the third was refused");
	claimed(c, "-", "when the third was refused");
	ok_errno(0, release(BLUE, b, "", ""), "blue gives it back");
	ok_errno(0, claim(RED, a, b, c), "red has all three");
	claimed(c, RED " 1", "of three");
	ok_errno(0, release(RED, b, "", ""), "one back");
	ok_errno(EPERM, release(RED, a, b, c), "all three, one of which is not red's");
	claimed(a, RED " 1", "when the second was refused");
	claimed(c, RED " 1", "when the second was refused");
	ok_errno(0, release(RED, a, c, ""), "the other two");
	all_free("after all or none");
}

/* Whoever has claimed is dead, and has not released. */
static void test_crash(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(claim(RED, a, b, b) == 0 ? 0 : 1);
	waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a process claims and dies");
	claimed(a, RED " 1", "after its claimer's death");
	claimed(b, RED " 2", "after its claimer's death");
	ok_errno(0, claim(BLUE, c, "", ""), "another claimant");
	ok_errno(0, class_put("release", RED), "all of the dead one's");
	claimed(a, "-", "after the cleaning up");
	claimed(b, "-", "after the cleaning up");
	claimed(c, BLUE " 1", "after the cleaning up");
	ok_errno(0, class_put("release", RED), "again: nothing to do");
	ok_errno(0, release(BLUE, c, "", ""), "the other's");
}

static void test_in_force(void)
{
	uint64_t size = instance_number(a, "size");
	int first, second;
	void *memory;

	ok_errno(0, claim(RED, a, "", ""), "red claims");
	ok_errno(EBUSY, resize(a, 0), "a claimed instance does not go");
	ok_errno(EBUSY, resize(a, size - 2 * MIB), "it does not shrink");
	ok_errno(EBUSY, discard(a), "it is not deleted");
	ok_errno(0, resize(a, size + 2 * MIB), "it grows");
	first = open_instance(a);
	ok(first >= 0, "it can be opened once");
	second = open_instance(a);
	ok_errno(EBUSY, second < 0 ? errno : 0, "and not a second time");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, first, 0);
	ok(memory != MAP_FAILED, "it can be mapped");
	close(first);
	second = open_instance(a);
	ok_errno(EBUSY, second < 0 ? errno : 0, "who has it mapped has it open");
	munmap(memory, size);
	first = open_instance(a);
	ok(first >= 0, "again when it is unmapped");
	ok_errno(0, release(RED, a, "", ""), "red releases");
	second = open_instance(a);
	ok(second >= 0, "unclaimed, it can be open twice");
	ok_errno(EBUSY, claim(RED, a, "", ""), "what is open twice cannot be claimed");
	ok_errno(0, claim(RED " shared", a, "", ""), "but shared");
	claimed(a, RED " 1 shared", "when it is shared");
	ok_errno(EBUSY, claim(RED, a, "", ""), "not the other way");
	ok_errno(0, release(RED, a, "", ""), "red releases");
	close(second);
	ok_errno(0, claim(RED, a, "", ""), "what is open once can be claimed");
	ok_errno(0, release(RED, a, "", ""), "red releases");
	close(first);
	ok_errno(0, resize(a, size), "it shrinks again");
}

static int load(const char *module, const char *parameters)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		die("no module %s", module);
	if (syscall(SYS_finit_module, fd, parameters, 0) != 0)
		code = errno;
	close(fd);
	return code;
}

static uint64_t parameter(const char *name)
{
	char path[128], *text;
	uint64_t value;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	text = get(path);
	value = strtoull(text, NULL, 10);
	free(text);
	return value;
}

static bool becomes(const char *name, uint64_t value)
{
	for (int i = 0; i < 50; i++) {
		if (parameter(name) == value)
			return true;
		usleep(100000);
	}
	return false;
}

/* Pages in a pipe are pinned. */
static void test_idle(void)
{
	struct iovec page = {map_all(a, 2 * MIB), 4096};
	int pipes[2];
	char drain[4096];

	if (pipe(pipes) != 0 || vmsplice(pipes[1], &page, 1, 0) != 4096)
		die("vmsplice: %s", strerror(errno));
	ok_errno(0, put(PARAMETERS "watch", a, strlen(a)),
		 "the module wants to know when it is idle");
	usleep(500000);
	ok(parameter("idles") == 0, "it is not told while a page is pinned");
	if (read(pipes[0], drain, sizeof(drain)) != sizeof(drain))
		die("read: %s", strerror(errno));
	ok(becomes("idles", 1), "it is told when no page is");
	munmap(page.iov_base, 2 * MIB);
	close(pipes[0]);
	close(pipes[1]);
}

/* Whoever has it mapped is killed. */
static void poison(const char *name, uint64_t offset, uint64_t size)
{
	pid_t child = fork();
	char *memory;

	if (child == 0) {
		memory = map_all(name, size);
		memory[offset] = 1;
		madvise(memory + offset, 4096, MADV_HWPOISON);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void test_failure(void)
{
	uint64_t size = instance_number(b, "size");

	poison(b, size - 4096, size);
	ok(becomes("failures", 1), "the claimant is told of memory that failed");
	ok(parameter("offset") == size - 4096, "and where (%" PRIu64 ")",
	   parameter("offset"));
}

static void test_module(void)
{
	char parameters[128];

	if (!options.module) {
		note("no module to load (--module)");
		return;
	}
	ok_errno(0, claim(RED, b, "", ""), "red has one");
	snprintf(parameters, sizeof(parameters), "names=%s,%s", a, b);
	ok_errno(EBUSY, load(options.module, parameters), "a module wants two");
	claimed(a, "-", "when the module was refused");
	ok_errno(0, release(RED, b, "", ""), "red releases");
	ok_errno(0, load(options.module, parameters), "now it gets them");
	claimed(a, MODULE " 1", "by a module");
	ok_errno(EBUSY, claim(RED, a, "", ""), "red is refused");
	ok_errno(EBUSY, resize(a, 0), "what a module has does not go");
	ok_errno(EBUSY, claim(MODULE, a, "", ""), "user space in its name is refused");
	ok_errno(EPERM, release(MODULE, a, "", ""), "it does not release in its name");
	ok_errno(0, class_put("release", MODULE), "nor by cleaning up");
	claimed(a, MODULE " 1", "by a module, whatever user space says");
	test_idle();
	test_failure();
	ok(syscall(SYS_delete_module, "dax_color", O_NONBLOCK) != 0,
	   "dax_color is not unloaded");
	ok_errno(0,
		 syscall(SYS_delete_module, "dax_color_claimant", O_NONBLOCK) == 0
			 ? 0
			 : errno,
		 "the module goes");
	all_free("after the module");
}

void test_claims(void)
{
	if (create(empty) != 0)
		die("create: %s", strerror(errno));
	make(a, 2 * MIB, 8 * MIB);
	make(b, 2 * MIB, 8 * MIB);
	make(c, 2 * MIB, 4 * MIB);
	test_words();
	test_one();
	test_all_or_none();
	test_crash();
	test_in_force();
	test_module();
	drop(a);
	drop(b);
	drop(c);
	drop(empty);
}
