// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapters/scrub.h"

#define MIB ((guint64)1 << 20)
#define SIZE (8 * MIB)
#define ALIGN (2 * MIB)

/* A file in memory, full of a pattern. */
static int make_memory(guint64 size)
{
	int fd = memfd_create("test-scrub", MFD_CLOEXEC);
	guint8 *memory;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	memset(memory, 0xa5, size);
	munmap(memory, size);
	return fd;
}

static guint64 count_zeros(int fd, guint64 size)
{
	g_autofree guint8 *memory = g_malloc(size);
	guint64 zeros = 0;

	ck_assert_int_eq(pread(fd, memory, size, 0), (ssize_t)size);
	for (guint64 i = 0; i < size; i++)
		zeros += memory[i] == 0;
	return zeros;
}

START_TEST(all_of_the_range_is_zeroed_and_nothing_else)
{
	int fd = make_memory(SIZE + ALIGN);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(count_zeros(fd, SIZE + ALIGN), 0);
	ck_assert(daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_no_error(error);
	ck_assert_uint_eq(count_zeros(fd, SIZE), SIZE);
	ck_assert_uint_eq(count_zeros(fd, SIZE + ALIGN), SIZE);
	close(fd);
}
END_TEST

/* What is beyond the end of a file raises SIGBUS, as memory that failed does. */
START_TEST(memory_that_fails_is_an_error_that_says_where)
{
	int fd = make_memory(6 * MIB);
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x600000 cannot be accessed");
	g_clear_error(&error);
	/* And again: the handler and the signal mask are as before. */
	ck_assert(!daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x600000");
	g_clear_error(&error);
	ck_assert(daxc_scrub_fd(fd, 0, 6 * MIB, ALIGN, NULL, NULL, &error));
	close(fd);
}
END_TEST

START_TEST(memory_that_cannot_be_mapped_is_an_error)
{
	int fd = make_memory(SIZE);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	int readable = open(path, O_RDONLY | O_CLOEXEC);
	g_autoptr(GError) error = NULL;

	ck_assert_int_ge(readable, 0);
	ck_assert(!daxc_scrub_fd(readable, 0, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "cannot map");
	g_clear_error(&error);
	ck_assert(!daxc_scrub_fd(-1, 0, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "cannot map");
	ck_assert_uint_eq(count_zeros(fd, SIZE), 0);
	close(readable);
	close(fd);
}
END_TEST

START_TEST(sizes_that_cannot_be)
{
	static const guint64 cases[][2] = {
		{0, ALIGN},	    {SIZE + 4096, ALIGN},
		{SIZE, 0},	    {SIZE, 3 * MIB},
		{SIZE, 512},	    {4096, ALIGN},
		{0 - ALIGN, ALIGN}, {(guint64)1 << 63, ALIGN},
	};
	int fd = make_memory(SIZE);

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert(!daxc_scrub_fd(fd, 0, cases[i][0], cases[i][1], NULL, NULL,
					 &error));
		unit_assert_error(error, DAXC_ERROR_INVALID, "cannot zero");
	}
	ck_assert_uint_eq(count_zeros(fd, SIZE), 0);
	close(fd);
}
END_TEST

typedef struct {
	volatile guint8 *byte;
	gint stop;
} Dirtier;

static gpointer dirty_again(gpointer data)
{
	Dirtier *dirtier = data;

	while (!g_atomic_int_get(&dirtier->stop))
		*dirtier->byte = 0xa5;
	return NULL;
}

START_TEST(memory_that_does_not_become_zero_is_an_error_that_says_where)
{
	int fd = make_memory(SIZE);
	guint8 *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	Dirtier dirtier = {memory + SIZE - 7, 0};
	GThread *thread = g_thread_new("dirty", dirty_again, &dirtier);
	g_autoptr(GError) error = NULL;

	/* The thread may not have had its turn in between. */
	for (guint i = 0; i < 10000 && !error; i++)
		daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error);
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x7fffc0 is not zero");
	g_atomic_int_set(&dirtier.stop, 1);
	g_thread_join(thread);
	munmap(memory, SIZE);
	close(fd);
}
END_TEST

static volatile sig_atomic_t theirs;

static void their_handler(int number)
{
	theirs++;
}

static gpointer raise_in_thread(gpointer data)
{
	gint *stop = data;

	/* Not about memory: it goes to the handler that was there. */
	while (!g_atomic_int_get(stop))
		raise(SIGBUS);
	return NULL;
}

START_TEST(the_handler_that_was_there_gets_what_is_not_ours)
{
	struct sigaction action = {.sa_handler = their_handler};
	struct sigaction before, after;
	int fd = make_memory(SIZE);
	g_autoptr(GError) error = NULL;
	gint stop = 0;
	GThread *thread;

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &before);
	thread = g_thread_new("raise", raise_in_thread, &stop);
	for (guint i = 0; i < 20; i++)
		ck_assert(daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error));
	g_atomic_int_set(&stop, 1);
	g_thread_join(thread);
	sigaction(SIGBUS, &before, &after);
	ck_assert(after.sa_handler == their_handler);
	ck_assert_int_gt(theirs, 0);
	close(fd);
}
END_TEST

static gpointer scrub_broken(gpointer data)
{
	int fd = make_memory(6 * MIB);
	guint right = 0;

	for (guint i = 0; i < 20; i++) {
		g_autoptr(GError) error = NULL;

		if (!daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error) &&
		    strstr(error->message, "offset 0x600000"))
			right++;
	}
	close(fd);
	return GUINT_TO_POINTER(right);
}

START_TEST(threads_do_not_disturb_each_other)
{
	GThread *threads[4];

	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("scrub", scrub_broken, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		ck_assert_uint_eq(GPOINTER_TO_UINT(g_thread_join(threads[i])), 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scrub");
	TCase *tcase = tcase_create("scrub");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, all_of_the_range_is_zeroed_and_nothing_else);
	tcase_add_test(tcase, memory_that_fails_is_an_error_that_says_where);
	tcase_add_test(tcase,
		       memory_that_does_not_become_zero_is_an_error_that_says_where);
	tcase_add_test(tcase, memory_that_cannot_be_mapped_is_an_error);
	tcase_add_test(tcase, sizes_that_cannot_be);
	tcase_add_test(tcase, the_handler_that_was_there_gets_what_is_not_ours);
	tcase_add_test(tcase, threads_do_not_disturb_each_other);
	return unit_run(suite);
}
