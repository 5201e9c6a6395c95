// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instances as system RAM, with and without persistent data: what is refused, what the
 * node then has, and that persistent pages are what they were after all that happens to
 * the rest. With the module eighth loaded (tests/driver/modules), in a region
 * that is the only memory of its node.
 */
#include "dax.h"
#include "kmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EIGHTH "/sys/module/eighth/parameters/"
#define PAGE UINT64_C(4096)
#define MPOL_PREFERRED 1

/* ---- memory of a node ---- */

unsigned int kmem_node(void)
{
	return region_number("target_node");
}

/* Bytes; 0 where the node is offline. */
static uint64_t node_memory(const char *what)
{
	char path[96], line[128], name[32];
	uint64_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo",
		 kmem_node());
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %*u %31[^:]: %" SCNu64, name, &kib) == 2 &&
		    strcmp(name, what) == 0)
			break;
		kib = 0;
	}
	fclose(file);
	return kib * KIB;
}

static int set_block(const char *block, const char *state)
{
	char path[320];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/%s/state",
		 kmem_node(), block);
	return put(path, state, strlen(state));
}

static bool is_block(const struct dirent *entry)
{
	unsigned int number;
	char end;

	return sscanf(entry->d_name, "memory%u%c", &number, &end) == 1;
}

unsigned int kmem_set_blocks(const char *state)
{
	char path[96];
	unsigned int refused = 0;
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", kmem_node());
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		if (is_block(entry) && set_block(entry->d_name, state))
			refused++;
	if (directory)
		closedir(directory);
	return refused;
}

bool kmem_offline_is_readable(void)
{
	char *release = get("/proc/sys/kernel/osrelease");
	bool kasan = strstr(release, "kasan") != NULL;

	free(release);
	return !kasan;
}

/* For blocks of which nobody has said anything yet. */
static void policy(const char *text)
{
	put("/sys/devices/system/memory/auto_online_blocks", text, strlen(text));
}

/* ---- modes ---- */

/* Its memory is free again when this returns: the lowest is what the next one gets. */
void kmem_drop(const char *name)
{
	drop(name);
	if (!settled(120))
		die("memory does not come back");
}

int kmem_mode(const char *name, const char *mode)
{
	return instance_put(name, "mode", "%s", mode);
}

static bool shows(const char *name, const char *attribute, const char *expected)
{
	char *got = instance_get(name, attribute);
	bool same = got && strcmp(got, expected) == 0;

	if (!same)
		note("%s of %s is \"%s\", not \"%s\"", attribute, name, got, expected);
	free(got);
	return same;
}

static int eighth(const char *parameter, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), EIGHTH "%s", parameter);
	return put(path, value, strlen(value));
}

static unsigned int eighth_count(const char *parameter)
{
	char path[96], *text;
	unsigned int count;

	snprintf(path, sizeof(path), EIGHTH "%s", parameter);
	text = get(path);
	count = strtoul(text, NULL, 10);
	free(text);
	return count;
}

static unsigned int users_of_eighth(void)
{
	char *text = get("/sys/module/eighth/refcnt");
	unsigned int count = strtoul(text, NULL, 10);

	free(text);
	return count;
}

/* Its bytes as the first page, or from there on. */
void kmem_write(const char *name, const void *bytes, size_t size)
{
	uint64_t length = instance_number(name, "size");
	char *memory = map_all(name, length);

	memcpy(memory, bytes, size);
	munmap(memory, length);
}

bool kmem_still_has(const char *name, const void *bytes, size_t size)
{
	uint64_t length = instance_number(name, "size");
	char *memory = map_all(name, length);
	bool same = memcmp(memory, bytes, size) == 0;

	munmap(memory, length);
	return same;
}

/* ---- what is refused ---- */

static void refused_words(const char *name)
{
	static const char *const wrong[] = {" ",
					    "ram",
					    "kmem blob",
					    "kmem force force",
					    "devdax force",
					    "kmem-persist a/b",
					    "kmem-persist Blob",
					    "kmem-persist blob now",
					    "kmem-persist blob force more"};

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ok_errno(EINVAL, kmem_mode(name, wrong[i]), "kmem: \"%s\" is no mode",
			 wrong[i]);
	ok(shows(name, "mode", "devdax"), "kmem: it is devdax still");
}

static void refused_in_use(const char *name)
{
	int fd = open_instance(name), pipes[2];
	uint64_t size = instance_number(name, "size");
	struct iovec piece;
	char *memory;

	ok_errno(EBUSY, kmem_mode(name, "kmem"), "kmem: refused while it is open");
	close(fd);
	memory = map_all(name, size);
	ok_errno(EBUSY, kmem_mode(name, "kmem"), "kmem: refused while it is mapped");
	/* Not in the first page, which would then be taken for something that must stay.
	 */
	memory[PAGE] = 1;
	piece = (struct iovec){memory + PAGE, PAGE};
	if (pipe(pipes) || vmsplice(pipes[1], &piece, 1, 0) != 4096)
		die("vmsplice: %s", strerror(errno));
	munmap(memory, size);
	ok_errno(EBUSY, kmem_mode(name, "kmem"), "kmem: refused while it is pinned");
	close(pipes[0]);
	close(pipes[1]);
}

/* All but what is beside system RAM: 1 GiB less 128 MiB. */
static void scrubs_the_rest(void)
{
	double until = now() + 60;

	ok_errno(0, region_put("scrub", "1"), "kmem: the rest is scrubbed meanwhile");
	while (region_number("dirty_size") > 896 * MIB && now() < until)
		usleep(100000);
	ok(region_number("dirty_size") <= 896 * MIB, "kmem: all of it but the same GiB");
}

static void refused_layouts(void)
{
	char small[NAME_SIZE], first[NAME_SIZE], second[NAME_SIZE];

	make(small, 2 * MIB, 4 * MIB);
	ok_errno(EINVAL, kmem_mode(small, "kmem"),
		 "kmem: refused where there is no whole memory block");
	kmem_drop(small);
	/* There and behind it nobody has had memory yet. */
	make_of(first, 2 * MIB,
		(const struct extent[]){{.start = 2 * GIB, .size = 128 * MIB}, {}});
	make_of(second, 2 * MIB,
		(const struct extent[]){{.start = 2560 * MIB, .size = 128 * MIB}, {}});
	ok_errno(EBUSY, kmem_mode(first, "kmem"),
		 "kmem: refused where another has memory in the same GiB");
	kmem_drop(second);
	ok_errno(0, kmem_mode(first, "kmem"), "kmem: taken when the other is gone");
	ok_errno(EBUSY, create(second) ?: add(second, 2560 * MIB, 128 * MIB),
		 "kmem: no other gets memory in the same GiB meanwhile");
	scrubs_the_rest();
	ok_errno(0, kmem_mode(first, "devdax"), "kmem: back");
	ok_errno(0, add(second, 2560 * MIB, 128 * MIB), "kmem: then another does");
	kmem_drop(second);
	kmem_drop(first);
}

static void refused_for_the_node(const char *name)
{
	char other[NAME_SIZE];

	make(other, 2 * MIB, GIB);
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: the node's first memory");
	ok_errno(ENOTUNIQ, kmem_mode(other, "kmem-persist eighth"),
		 "kmem: persistent data only where the node has no other memory");
	ok_errno(0, kmem_mode(other, "kmem"),
		 "kmem: without them there can be two instances");
	ok_errno(0, kmem_mode(other, "devdax"), "kmem: one of the two back");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: the other one");
	ok_errno(0, kmem_mode(other, "kmem-persist eighth"),
		 "kmem: persistent data alone on the node");
	ok_errno(ENOTUNIQ, kmem_mode(name, "kmem"),
		 "kmem: nobody beside persistent data");
	ok_errno(0, kmem_mode(other, "devdax"), "kmem: back");
	kmem_drop(other);
}

static void refused_for_the_callback(const char *name)
{
	ok_errno(0, eighth("command", "callback 1"),
		 "kmem: another driver takes the callback");
	ok_errno(EBUSY, kmem_mode(name, "kmem"),
		 "kmem: refused while another has the callback");
	ok_errno(0, eighth("command", "callback 0"), "kmem: it gives it back");
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: taken then");
	ok_errno(EINVAL, eighth("command", "callback 1"), "kmem: and is ours");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: back");
	ok_errno(0, eighth("command", "callback 1"), "kmem: and the callback is free");
	ok_errno(0, eighth("command", "callback 0"), "kmem: again");
}

/* "claim" or "release", for a guest. */
static int change_claim(const char *attribute, const char *name)
{
	char path[64], text[96];

	snprintf(path, sizeof(path), "/sys/class/dax/%s", attribute);
	snprintf(text, sizeof(text), "11111111-1111-4111-8111-111111111111 %s", name);
	return put(path, text, strlen(text));
}

static void claimed_or_lent(const char *name)
{
	ok_errno(0, change_claim("claim", name), "kmem: a guest claims it");
	ok_errno(EBUSY, kmem_mode(name, "kmem"), "kmem: refused while it is claimed");
	ok_errno(EBUSY, kmem_mode(name, "kmem-persist eighth"), "kmem: in either mode");
	ok_errno(0, change_claim("release", name), "kmem: the guest releases it");
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: then it is system RAM");
	ok_errno(EBUSY, change_claim("claim", name), "kmem: and claimed by nobody");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: back");
	ok_errno(0, change_claim("claim", name), "kmem: then it is claimed again");
	ok_errno(0, change_claim("release", name), "kmem: and released");
}

/* While it is system RAM nothing else can be done with it. */
static void refused_while_it_is(const char *name)
{
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: system RAM");
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: the same once more is no change");
	ok_errno(EBUSY, kmem_mode(name, "kmem-persist eighth"),
		 "kmem: from one mode to the other by devdax only");
	ok_errno(EBUSY, resize(name, 2 * GIB), "kmem: no growth");
	ok_errno(EBUSY, resize(name, 0), "kmem: not freed");
	ok_errno(EBUSY, add(name, 2 * GIB, GIB), "kmem: no further extent");
	ok_errno(EBUSY, discard(name), "kmem: not deleted");
	ok(open_instance(name) < 0 && errno == EBUSY, "kmem: not opened");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: back");
}

static void refusals(void)
{
	char name[NAME_SIZE];

	if (create(name))
		die("no instance");
	ok_errno(ENXIO, kmem_mode(name, "kmem"), "kmem: refused without memory");
	discard(name);
	make(name, 2 * MIB, GIB);
	refused_words(name);
	refused_in_use(name);
	refused_while_it_is(name);
	claimed_or_lent(name);
	refused_for_the_callback(name);
	refused_for_the_node(name);
	ok_errno(ENODATA, kmem_mode(name, "kmem-persist"),
		 "kmem: unformatted memory wants a type");
	ok_errno(ENOENT, kmem_mode(name, "kmem-persist nobody"),
		 "kmem: no plug-in of that name");
	ok(shows(name, "mode", "devdax") && shows(name, "persist_type", ""),
	   "kmem: nothing came of all that");
	kmem_drop(name);
	refused_layouts();
}

/* ---- what the host wrote is not read by others ---- */

/* Writes to memory, as much as is told, of the node as long as it has some. Returns
 * where, NULL when the node has no memory at all. */
static char *try_hog(uint64_t size)
{
	unsigned long nodes = 1UL << kmem_node();
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	if (syscall(SYS_mbind, memory, size, MPOL_PREFERRED, &nodes, 64UL, 0)) {
		munmap(memory, size);
		return NULL;
	}
	for (uint64_t at = 0; at < size; at += PAGE)
		memset(memory + at, 0x5a, 64);
	return memory;
}

static char *hog(uint64_t size)
{
	char *memory = try_hog(size);

	if (!memory)
		die("node %u has no memory: %s", kmem_node(), strerror(errno));
	return memory;
}

static void comes_offline(void)
{
	char name[NAME_SIZE];

	make(name, 2 * MIB, GIB);
	policy("online");
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: 1 GiB of system RAM");
	ok(node_memory("MemTotal") == 0, "kmem: the system does not take it by itself");
	ok(kmem_set_blocks("online_movable") == 0, "kmem: but when it is told to");
	ok(node_memory("MemTotal") == GIB, "kmem: all of it");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: and back");
	policy("offline");
	kmem_drop(name);
}

static void leaves_nothing(void)
{
	char name[NAME_SIZE], *memory;

	make(name, 2 * MIB, GIB);
	ok_errno(0, kmem_mode(name, "kmem"), "kmem: 1 GiB of system RAM");
	ok(kmem_set_blocks("online_movable") == 0, "kmem: online");
	ok(node_memory("MemTotal") == GIB, "kmem: the node has exactly that");
	memory = hog(GIB / 2);
	ok(node_memory("MemFree") < GIB * 5 / 8, "kmem: somebody uses it");
	munmap(memory, GIB / 2);
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: back to devdax");
	ok(node_memory("MemTotal") == 0, "kmem: the node has none");
	memory = map_all(name, GIB);
	ok(not_zero(memory, GIB) == 0, "kmem: nothing is left of what the host wrote");
	munmap(memory, GIB);
	kmem_drop(name);
}

/* ---- memory that the system cannot give back ---- */

static void wake_up(int signal)
{
	(void)signal;
}

/* "devdax", and a signal to the writer after @seconds. What is being allocated or freed
 * at the moment is in the way for a moment. */
static int ask_back(const char *name, unsigned int seconds)
{
	struct sigaction action = {.sa_handler = wake_up};
	double end = now() + seconds;
	int code;

	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
	while ((code = kmem_mode(name, "devdax")) == EBUSY && now() < end)
		usleep(100000);
	alarm(0);
	return code;
}

static void stays_while_pinned(void)
{
	char name[NAME_SIZE], *memory;
	struct iovec piece;
	int pipes[2], code;

	make(name, 2 * MIB, GIB);
	if (kmem_mode(name, "kmem") || kmem_set_blocks("online_movable"))
		die("1 GiB of system RAM cannot be had");
	memory = hog(64 * MIB);
	memset(memory, 0x5a, 64 * MIB);
	piece = (struct iovec){memory, PAGE};
	if (pipe(pipes) || vmsplice(pipes[1], &piece, 1, 0) != 4096)
		die("vmsplice: %s", strerror(errno));
	code = ask_back(name, 3);
	ok(code == EINTR || code == EBUSY,
	   "kmem: not given back while a page is pinned, as long as one cares to wait "
	   "(%d)",
	   code);
	ok(shows(name, "mode", "kmem") && node_memory("MemTotal") == GIB,
	   "kmem: all of it is system RAM as before");
	ok(memcmp(memory, memory + 32 * MIB, 32 * MIB) == 0 && memory[0] == 0x5a,
	   "kmem: and what was in it is there");
	close(pipes[0]);
	close(pipes[1]);
	ok_errno(0, ask_back(name, 60), "kmem: given back when it is not");
	ok(memcmp(memory, memory + 32 * MIB, 32 * MIB) == 0 && memory[0] == 0x5a,
	   "kmem: its user has lost nothing");
	munmap(memory, 64 * MIB);
	memory = map_all(name, GIB);
	ok(not_zero(memory, GIB) == 0, "kmem: nor is anything left of it");
	munmap(memory, GIB);
	kmem_drop(name);
}

/* ---- memory that fails while it is system RAM ---- */

static void fail_a_page(void)
{
	char *memory = hog(64 * MIB);

	/* Who has it mapped may be killed. */
	_exit(madvise(memory + 8 * MIB, PAGE, MADV_HWPOISON) ? errno : 0);
}

/* What failed stays bad for as long as the module is loaded: the last of the parts. */
void test_kmem_poison(void)
{
	uint64_t bad = region_number("bad_size");
	char name[NAME_SIZE];
	pid_t child;
	int status;

	make(name, 2 * MIB, GIB);
	if (kmem_mode(name, "kmem") || kmem_set_blocks("online_movable"))
		die("1 GiB of system RAM cannot be had");
	child = fork();
	if (child == 0)
		fail_a_page();
	waitpid(child, &status, 0);
	ok(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS),
	   "kmem-poison: a page fails (status %d)", status);
	ok_errno(0, ask_back(name, 60), "kmem-poison: the memory comes back");
	ok(open_instance(name) < 0 && errno == EBUSY, "kmem-poison: nobody maps it");
	ok_errno(EHWPOISON, kmem_mode(name, "kmem"),
		 "kmem-poison: nor is it system RAM again");
	kmem_drop(name);
	ok(region_number("bad_size") == bad + 2 * MIB,
	   "kmem-poison: what failed is nobody's, the rest is free");
}

/* ---- every eighth page ---- */

static bool intact(const char *when)
{
	return ok_errno(0, eighth("command", "check"),
			"kmem: every eighth page is what it was: %s", when);
}

static void exhaust(void)
{
	uint64_t size = GIB * 15 / 16;
	char *memory = hog(size);
	uint64_t left = node_memory("MemFree");

	ok(left < 32 * MIB,
	   "kmem: the node's memory is exhausted, %" PRIu64 " KiB are left", left / KIB);
	intact("the rest is full");
	munmap(memory, size);
}

static void more_and_less(void)
{
	uint64_t before = node_memory("MemTotal");

	ok_errno(0, eighth("command", "alloc 1000"), "kmem: a plug-in allocates");
	ok(node_memory("MemTotal") == before - 1000 * PAGE,
	   "kmem: which the node has less then");
	intact("with 1000 pages more");
	ok_errno(0, eighth("command", "free"), "kmem: it frees them");
	ok(node_memory("MemTotal") == before, "kmem: the node has them again");
}

static void all_there_is(void)
{
	uint64_t before = node_memory("MemTotal");

	eighth("command", "alloc 1000000");
	ok(eighth_count("allocated") > GIB / PAGE * 3 / 4,
	   "kmem: it can have nearly all there is");
	intact("with all it can get");
	ok_errno(0, eighth("command", "free"), "kmem: and frees all of it");
	ok(node_memory("MemTotal") == before, "kmem: nothing is lost");
}

static void cleanup_refuses(const char *name)
{
	eighth("fail", "cleanup");
	ok_errno(EBUSY, kmem_mode(name, "devdax"),
		 "kmem: what a plug-in refuses does not happen");
	eighth("fail", "none");
	ok(shows(name, "mode", "kmem-persist") && node_memory("MemTotal") == GIB / 8 * 7,
	   "kmem: all of it is as before");
	ok_errno(0, eighth("command", "alloc 5"), "kmem: and can be allocated");
}

static void eighths(void)
{
	unsigned int formats = eighth_count("formats");
	char name[NAME_SIZE];

	make(name, 2 * MIB, GIB);
	ok_errno(0, kmem_mode(name, "kmem-persist eighth"),
		 "kmem: 1 GiB, every eighth page persistent");
	ok(shows(name, "persist_type", "eighth"), "kmem: of that type");
	if (kmem_offline_is_readable())
		ok_errno(0, eighth("command", "alloc 100"),
			 "kmem: a plug-in allocates while all is offline");
	/* With KASAN the kernel's own memory grows, and would stay in the way. */
	ok(kmem_set_blocks(kmem_offline_is_readable() ? "online_kernel"
						      : "online_movable") == 0,
	   "kmem: online");
	ok(node_memory("MemTotal") == GIB / 8 * 7 - eighth_count("allocated") * PAGE,
	   "kmem: exactly the rest is the node's memory");
	ok(node_memory("MemFree") > GIB / 8 * 7 - 16 * MIB, "kmem: which is free");
	ok_errno(0, eighth("command", "free"), "kmem: it frees them online");
	ok(node_memory("MemTotal") == GIB / 8 * 7,
	   "kmem: exactly seven eighths are the node's memory");
	ok(users_of_eighth() == 1, "kmem: the plug-in's module is in use");
	ok_errno(EBUSY, eighth("command", "unregister"),
		 "kmem: the plug-in in use is not unregistered");
	exhaust();
	more_and_less();
	all_there_is();
	cleanup_refuses(name);
	ok(kmem_set_blocks("offline") == 0, "kmem: offline");
	if (kmem_offline_is_readable())
		intact("offline");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: detached");
	ok(users_of_eighth() == 0, "kmem: the plug-in's module is free");
	ok(open_instance(name) < 0 && errno == EBUSY,
	   "kmem: nobody opens what holds persistent data");
	ok_errno(EBUSY, change_claim("claim", name), "kmem: nor claims it");
	ok_errno(EBUSY, resize(name, 2 * GIB), "kmem: nor makes it larger");
	ok_errno(EEXIST, kmem_mode(name, "kmem"), "kmem: nor makes them system RAM");
	ok_errno(EEXIST, kmem_mode(name, "kmem-persist blob"),
		 "kmem: nor of another type");
	ok_errno(0, kmem_mode(name, "kmem-persist"),
		 "kmem: attached again, by what its superblock says");
	if (kmem_offline_is_readable())
		intact("attached again");
	ok(eighth_count("formats") == formats + 1, "kmem: it was formatted once");
	ok(kmem_set_blocks("online_movable") == 0, "kmem: online, movable");
	intact("online again");
	more_and_less();
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: detached, with what was online");
	kmem_drop(name);
}

static void failures_leave_nothing(void)
{
	char name[NAME_SIZE];
	int fd;

	make(name, 2 * MIB, GIB);
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const what[] = {"format", "probe", "start"};

		eighth("fail", what[i]);
		ok_errno(EIO, kmem_mode(name, "kmem-persist eighth force"),
			 "kmem: its %s fails", what[i]);
		eighth("fail", "none");
		ok(shows(name, "mode", "devdax") && users_of_eighth() == 0 &&
			   node_memory("MemTotal") == 0,
		   "kmem: and leaves nothing in use (%s)", what[i]);
		ok_errno(0, eighth("command", "callback 1"), "kmem: nor the callback");
		ok_errno(0, eighth("command", "callback 0"), "kmem: which is given back");
		/* After a format that failed there is no superblock. */
		if (i == 0)
			ok_errno(ENODATA, kmem_mode(name, "kmem-persist"),
				 "kmem: it is unformatted");
	}
	ok_errno(0, kmem_mode(name, "kmem-persist"),
		 "kmem: what was formatted can be attached");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: and detached");
	ok_errno(0, kmem_mode(name, "kmem force"),
		 "kmem: by force it is system RAM without them");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: and detached");
	ok(shows(name, "persist_type", ""), "kmem: then it holds none");
	fd = open_instance(name);
	ok(fd >= 0, "kmem: and can be opened");
	close(fd);
	kmem_drop(name);
}

/* ---- on and off, while somebody wants the memory ---- */

static volatile sig_atomic_t stop;

static void please_stop(int signal)
{
	(void)signal;
	stop = 1;
}

/* Takes memory of the node as it comes, and looks whether it is what was put there. */
static _Noreturn void press(void)
{
	uint64_t size = options.long_form ? 640 * MIB : 256 * MIB;

	signal(SIGTERM, please_stop);
	while (!stop) {
		char *memory = try_hog(size);

		if (!memory) {
			usleep(1000);
			continue;
		}
		for (uint64_t at = 0; at < size; at += PAGE)
			if (memory[at] != 0x5a || memory[at + 63] != 0x5a)
				_exit(1);
		munmap(memory, size);
	}
	_exit(0);
}

static bool all_offline(void)
{
	/* What is being allocated at the moment may be in the way. */
	for (unsigned int tries = 0; tries < 20; tries++)
		if (kmem_set_blocks("offline") == 0 || node_memory("MemTotal") == 0)
			return true;
	return false;
}

static void on_and_off(void)
{
	unsigned int rounds = options.long_form ? 50 : 5, offline = 0, right = 0;
	char name[NAME_SIZE];
	int status = -1;
	pid_t child;

	make(name, 2 * MIB, GIB);
	if (kmem_mode(name, "kmem-persist eighth") || kmem_set_blocks("online_movable"))
		die("1 GiB of system RAM cannot be had");
	child = fork();
	if (child == 0)
		press();
	for (unsigned int i = 0; i < rounds; i++) {
		usleep(200000);
		offline += all_offline();
		right += !kmem_offline_is_readable() || eighth("command", "check") == 0;
		kmem_set_blocks("online_movable");
		right += node_memory("MemTotal") == GIB / 8 * 7;
	}
	ok(offline == rounds, "kmem: offline %u times of %u while memory is used",
	   offline, rounds);
	ok(right == 2 * rounds, "kmem: each time every page is there, and right");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: detached while memory is used");
	ok_errno(0, kmem_mode(name, "kmem-persist"), "kmem: and attached");
	kmem_set_blocks("online_movable");
	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	ok(status == 0, "kmem: who used it has lost nothing");
	intact("after all that");
	ok_errno(0, kmem_mode(name, "devdax"), "kmem: detached");
	kmem_drop(name);
}

void test_kmem(void)
{
	refusals();
	comes_offline();
	leaves_nothing();
	stays_while_pinned();
	eighths();
	failures_leave_nothing();
	on_and_off();
}
