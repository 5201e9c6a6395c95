// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include "unit.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "adapters/scrub.h"

#define MIB ((guint64)1 << 20)
#define SIZE (8 * MIB)
#define ALIGN (2 * MIB)

/* A file in memory, full of a pattern. */
static int make_memory(guint64 size)
{
	int fd = memfd_create("test-scrub", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	guint8 *memory;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	memset(memory, 0xa5, size);
	munmap(memory, size);
	return fd;
}

static guint64 count_zeros_from(int fd, guint64 offset, guint64 size)
{
	g_autofree guint8 *memory = g_malloc(size);
	guint64 zeros = 0;

	ck_assert_int_eq(pread(fd, memory, size, (off_t)offset), (ssize_t)size);
	for (guint64 i = 0; i < size; i++)
		zeros += memory[i] == 0;
	return zeros;
}

static guint64 count_zeros(int fd, guint64 size)
{
	return count_zeros_from(fd, 0, size);
}

/* Lines of /proc/self/maps about our memory, and threads that zero. */
static guint count_left(void)
{
	g_autofree char *maps = NULL;
	g_auto(GStrv) parts = NULL;
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	const char *task;
	guint left = 0;

	ck_assert(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
	parts = g_strsplit(maps, "test-scrub (deleted)", -1);
	left = g_strv_length(parts) - 1;
	while ((task = g_dir_read_name(tasks))) {
		g_autofree char *path =
			g_build_filename("/proc/self/task", task, "comm", NULL);
		g_autofree char *comm = NULL;

		if (g_file_get_contents(path, &comm, NULL, NULL))
			left += strcmp(comm, "daxcolor-zero\n") == 0;
	}
	return left;
}

static double seconds(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

START_TEST(all_of_the_range_is_zeroed_and_nothing_else)
{
	int fd = make_memory(SIZE + 2 * ALIGN);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(count_zeros(fd, SIZE + 2 * ALIGN), 0);
	ck_assert(daxc_scrub_fd(fd, ALIGN, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_no_error(error);
	ck_assert_uint_eq(count_zeros_from(fd, ALIGN, SIZE), SIZE);
	ck_assert_uint_eq(count_zeros(fd, SIZE + 2 * ALIGN), SIZE);
	ck_assert_uint_eq(count_left(), 0);
	close(fd);
}
END_TEST

START_TEST(any_number_of_threads_zeroes_any_size)
{
	static const guint64 sizes[] = {4096, 12288, 2 * MIB, 2 * MIB + 4096, 23 * MIB};
	static const guint threads[] = {0, 1, 2, 3, 8, 100000};

	for (gsize i = 0; i < G_N_ELEMENTS(sizes) * G_N_ELEMENTS(threads); i++) {
		guint64 size = sizes[i / G_N_ELEMENTS(threads)];
		const DaxcScrubOptions options = {
			.threads = threads[i % G_N_ELEMENTS(threads)],
		};
		int fd = make_memory(size + 4096);
		g_autoptr(GError) error = NULL;

		ck_assert(daxc_scrub_fd(fd, 4096, size, 4096, &options, NULL, &error));
		unit_assert_no_error(error);
		ck_assert_uint_eq(count_zeros_from(fd, 4096, size), size);
		ck_assert_uint_eq(count_zeros_from(fd, 0, 4096), 0);
		close(fd);
	}
	ck_assert_uint_eq(count_left(), 0);
}
END_TEST

/* What is beyond the end of a file raises SIGBUS, as memory that failed does. */
START_TEST(memory_that_fails_is_an_error_that_says_where)
{
	int fd = make_memory(6 * MIB);
	guint64 bad = 1;
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x600000 cannot be accessed");
	ck_assert_uint_eq(bad, 6 * MIB);
	g_clear_error(&error);
	/* And again: the handler and the signal mask are as before. */
	ck_assert(!daxc_scrub_fd(fd, 4 * MIB, SIZE, ALIGN, NULL, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x600000");
	ck_assert_uint_eq(bad, 6 * MIB);
	g_clear_error(&error);
	bad = 1;
	ck_assert(daxc_scrub_fd(fd, 0, 6 * MIB, ALIGN, NULL, &bad, &error));
	ck_assert_uint_eq(bad, 1);
	ck_assert_uint_eq(count_left(), 0);
	close(fd);
}
END_TEST

/* Any of them may be the first that meets it. */
START_TEST(of_several_threads_that_meet_failing_memory_the_lowest_counts)
{
	const DaxcScrubOptions options = {.threads = 6};
	guint64 end = 20 * MIB + 3 * 4096;
	int fd = make_memory(end);

	for (guint i = 0; i < 200; i++) {
		guint64 bad = 0;
		g_autoptr(GError) error = NULL;

		ck_assert(!daxc_scrub_fd(fd, 4 * MIB, 60 * MIB, ALIGN, &options, &bad,
					 &error));
		unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x1403000 ");
		ck_assert_uint_eq(bad, end);
	}
	ck_assert_uint_eq(count_left(), 0);
	close(fd);
}
END_TEST

/* What proceed() shall do, and what it saw. */
typedef struct {
	int fd;
	guint64 end;
	guint seals;
	guint calls;
	guint stop_at;
	guint64 done;
	guint64 rate;
	double begin;
	double stopped;
	double nap;
	GThread *thread;
	guint cpu;
} Watch;

static gboolean truncate_it(guint64 done, gpointer data)
{
	Watch *watch = data;

	if (watch->calls++ == 2) {
		ck_assert(!watch->seals ||
			  fcntl(watch->fd, F_ADD_SEALS, watch->seals) == 0);
		ck_assert_int_eq(ftruncate(watch->fd, (off_t)watch->end), 0);
	}
	return TRUE;
}

START_TEST(memory_that_fails_in_the_middle_of_the_work_stops_all_threads)
{
	int fd = make_memory(32 * MIB);
	Watch watch = {.fd = fd, .end = 5 * MIB};
	const DaxcScrubOptions options = {
		.threads = 4, .rate = 16 * MIB, .proceed = truncate_it, .data = &watch};
	double begin = seconds(CLOCK_MONOTONIC);
	guint64 bad = 0;
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_scrub_fd(fd, 0, 32 * MIB, ALIGN, &options, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "cannot be accessed");
	ck_assert_uint_ge(bad, 5 * MIB);
	ck_assert_uint_lt(bad, 32 * MIB);
	ck_assert_uint_eq(bad % 4096, 0);
	ck_assert(seconds(CLOCK_MONOTONIC) - begin < 1.2);
	ck_assert_uint_eq(count_left(), 0);
	close(fd);
}
END_TEST

/* As with a device that is unbound, what is mapped fails and nothing more can be. */
START_TEST(memory_that_was_taken_away_has_not_failed)
{
	int fd = make_memory(32 * MIB);
	Watch watch = {.fd = fd, .end = 5 * MIB, .seals = F_SEAL_FUTURE_WRITE};
	const DaxcScrubOptions options = {
		.threads = 2, .rate = 64 * MIB, .proceed = truncate_it, .data = &watch};
	guint64 bad = 1;
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_scrub_fd(fd, 0, 32 * MIB, ALIGN, &options, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_FAILED, "taken away");
	ck_assert_uint_eq(bad, 1);
	ck_assert_uint_eq(count_left(), 0);
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

START_TEST(ranges_that_cannot_be)
{
	static const guint64 cases[][3] = {
		{0, 0, ALIGN},
		{0, SIZE + 4096, ALIGN},
		{0, SIZE, 0},
		{0, SIZE, 3 * MIB},
		{0, SIZE, 512},
		{0, 4096, ALIGN},
		{0, 0 - ALIGN, ALIGN},
		{0, (guint64)1 << 63, ALIGN},
		{0, (guint64)1 << 63, (guint64)1 << 63},
		{4096, ALIGN, ALIGN},
		{0 - ALIGN, ALIGN, ALIGN},
		{((guint64)1 << 63) - ALIGN, ALIGN, ALIGN},
	};
	int fd = make_memory(SIZE);

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert(!daxc_scrub_fd(fd, cases[i][0], cases[i][1], cases[i][2], NULL,
					 NULL, &error));
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
	int fd = make_memory(SIZE + ALIGN);
	guint8 *memory =
		mmap(NULL, SIZE + ALIGN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	Dirtier dirtier = {memory + ALIGN + SIZE - 7, 0};
	GThread *thread = g_thread_new("dirty", dirty_again, &dirtier);
	const DaxcScrubOptions options = {.threads = 2};
	guint64 bad = 0;
	g_autoptr(GError) error = NULL;

	/* The thread may not have had its turn in between. */
	for (guint i = 0; i < 10000 && !error; i++)
		daxc_scrub_fd(fd, ALIGN, SIZE, ALIGN, &options, &bad, &error);
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x9f");
	unit_assert_error(error, DAXC_ERROR_MEMORY, "is not zero");
	/* The line, or its page where it was zero again when we looked for the line. */
	ck_assert(bad == ALIGN + SIZE - 64 || bad == ALIGN + SIZE - 4096);
	g_atomic_int_set(&dirtier.stop, 1);
	g_thread_join(thread);
	munmap(memory, SIZE + ALIGN);
	close(fd);
}
END_TEST

/* ---- stopping, and the rate ---- */

static gboolean watch_it(guint64 done, gpointer data)
{
	Watch *watch = data;
	double elapsed = seconds(CLOCK_MONOTONIC) - watch->begin;

	ck_assert_ptr_eq(g_thread_self(), watch->thread);
	ck_assert_uint_ge(done, watch->done);
	if (watch->rate)
		ck_assert_msg((double)done <= (double)watch->rate * (elapsed + 0.03),
			      "%" G_GUINT64_FORMAT " bytes after %.3f s", done, elapsed);
	watch->done = done;
	if (watch->calls == 2 && watch->nap > 0) {
		g_usleep((gulong)(watch->nap * 1e6));
		watch->begin += watch->nap;
	}
	if (++watch->calls != watch->stop_at)
		return TRUE;
	watch->stopped = seconds(CLOCK_MONOTONIC);
	return FALSE;
}

static Watch watch_new(guint64 rate, guint stop_at)
{
	return (Watch){.thread = g_thread_self(),
		       .begin = seconds(CLOCK_MONOTONIC),
		       .rate = rate,
		       .stop_at = stop_at};
}

START_TEST(who_says_stop_at_once_has_nothing_changed)
{
	int fd = make_memory(SIZE);
	Watch watch = watch_new(0, 1);
	const DaxcScrubOptions options = {
		.threads = 4, .proceed = watch_it, .data = &watch};
	guint64 bad = 1;
	g_autoptr(GError) error = NULL;

	ck_assert(!daxc_scrub_fd(fd, 0, SIZE, ALIGN, &options, &bad, &error));
	unit_assert_error(error, DAXC_ERROR_CANCELED, "stopped after 0 of 8388608 bytes");
	ck_assert_uint_eq(bad, 1);
	ck_assert_uint_eq(watch.calls, 1);
	ck_assert_uint_eq(count_zeros(fd, SIZE), 0);
	close(fd);
}
END_TEST

/* At this rate a thread waits for a minute and more. */
START_TEST(who_says_stop_does_not_wait_for_the_rate)
{
	for (guint threads = 1; threads <= 4; threads += 3) {
		int fd = make_memory(64 * MIB);
		Watch watch = watch_new(512, 6);
		const DaxcScrubOptions options = {.threads = threads,
						  .rate = watch.rate,
						  .proceed = watch_it,
						  .data = &watch};
		g_autoptr(GError) error = NULL;

		/* All threads together may begin with one step. */
		watch.rate = 0;
		ck_assert(!daxc_scrub_fd(fd, 0, 64 * MIB, ALIGN, &options, NULL, &error));
		unit_assert_error(error, DAXC_ERROR_CANCELED, "stopped after 32768 of");
		ck_assert_uint_eq(watch.calls, 6);
		ck_assert(watch.stopped - watch.begin < 0.1 * 6 + 1);
		ck_assert(seconds(CLOCK_MONOTONIC) - watch.stopped < 1);
		ck_assert_uint_eq(count_zeros(fd, 64 * MIB), 65536);
		ck_assert_uint_eq(count_left(), 0);
		close(fd);
	}
}
END_TEST

START_TEST(the_rate_is_kept_evenly_by_all_threads_and_without_spinning)
{
	for (guint threads = 1; threads <= 4; threads += 3) {
		int fd = make_memory(32 * MIB);
		Watch watch = watch_new(64 * MIB, 0);
		const DaxcScrubOptions options = {.threads = threads,
						  .rate = watch.rate,
						  .proceed = watch_it,
						  .data = &watch};
		double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
		g_autoptr(GError) error = NULL;
		double took;

		watch.begin = seconds(CLOCK_MONOTONIC);
		ck_assert(daxc_scrub_fd(fd, 0, 32 * MIB, ALIGN, &options, NULL, &error));
		took = seconds(CLOCK_MONOTONIC) - watch.begin;
		cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		ck_assert_msg(took > 0.47 && took < 5, "%.3f s", took);
		ck_assert_msg(cpu < 0.25 * took, "%.3f s of CPU in %.3f s", cpu, took);
		ck_assert_uint_ge(watch.calls, 5);
		ck_assert_uint_eq(count_zeros(fd, 32 * MIB), 32 * MIB);
		close(fd);
	}
}
END_TEST

/* What was not used is lost: guests that had a rest do not get it all at once. */
START_TEST(the_rate_is_not_made_up_for_after_a_pause)
{
	int fd = make_memory(32 * MIB);
	Watch watch = watch_new(64 * MIB, 0);
	const DaxcScrubOptions options = {
		.threads = 1, .rate = watch.rate, .proceed = watch_it, .data = &watch};
	g_autoptr(GError) error = NULL;

	watch.nap = 0.3;
	watch.begin = seconds(CLOCK_MONOTONIC);
	ck_assert(daxc_scrub_fd(fd, 0, 32 * MIB, ALIGN, &options, NULL, &error));
	ck_assert_uint_gt(watch.calls, 3);
	close(fd);
}
END_TEST

/* ---- threads ---- */

/* Of each of our threads and this one: where it may run, and what it lets in. */
static gboolean look_at_threads(guint64 done, gpointer data)
{
	Watch *watch = data;
	g_autofree char *expected =
		g_strdup_printf("\nCpus_allowed_list:\t%u\n", watch->cpu);
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	const char *task;
	guint seen = 0;

	while ((task = g_dir_read_name(tasks))) {
		g_autofree char *path =
			g_build_filename("/proc/self/task", task, "status", NULL);
		g_autofree char *status = NULL;
		const char *blocked;
		guint64 mask;

		if (!g_file_get_contents(path, &status, NULL, NULL) ||
		    !g_str_has_prefix(status, "Name:\tdaxcolor-zero\n"))
			continue;
		blocked = strstr(status, "\nSigBlk:\t");
		ck_assert_ptr_nonnull(blocked);
		mask = g_ascii_strtoull(blocked + strlen("\nSigBlk:\t"), NULL, 16);
		ck_assert_uint_eq(mask & (guint64)1 << (SIGBUS - 1), 0);
		ck_assert_uint_ne(mask & (guint64)1 << (SIGTERM - 1), 0);
		ck_assert_uint_ne(mask & (guint64)1 << (SIGINT - 1), 0);
		ck_assert_ptr_nonnull(strstr(status, expected));
		seen++;
	}
	watch->calls = MAX(watch->calls, seen);
	return TRUE;
}

START_TEST(threads_run_near_the_memory_and_get_no_signals)
{
	int fd = make_memory(32 * MIB);
	g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(guint));
	guint far = 5000, odd = G_MAXUINT;
	Watch watch = {.cpu = 0};
	const DaxcScrubOptions options = {.threads = 3,
					  .cpus = cpus,
					  .rate = 128 * MIB,
					  .proceed = look_at_threads,
					  .data = &watch};
	g_autoptr(GError) error = NULL;
	cpu_set_t before, after;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(watch.cpu, &before))
		watch.cpu++;
	g_array_append_val(cpus, far);
	g_array_append_val(cpus, watch.cpu);
	g_array_append_val(cpus, odd);
	ck_assert(daxc_scrub_fd(fd, 0, 32 * MIB, ALIGN, &options, NULL, &error));
	unit_assert_no_error(error);
	ck_assert_uint_eq(watch.calls, 2);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(after), &after), 0);
	ck_assert(CPU_EQUAL(&before, &after));
	close(fd);
}
END_TEST

START_TEST(cpus_that_are_not_allowed_are_not_used)
{
	int fd = make_memory(SIZE);
	guint far = 5000;
	g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(guint));
	const DaxcScrubOptions options = {.cpus = cpus};
	g_autoptr(GError) error = NULL;

	ck_assert(daxc_scrub_fd(fd, 0, SIZE, ALIGN, &options, NULL, &error));
	g_array_append_val(cpus, far);
	ck_assert(daxc_scrub_fd(fd, 0, SIZE, ALIGN, &options, NULL, &error));
	ck_assert_uint_eq(count_zeros(fd, SIZE), SIZE);
	close(fd);
}
END_TEST

/* In place of GLib's: as many threads as the test lets there be. */
static gint threads_left = -1;

GThread *g_thread_try_new(const gchar *name, GThreadFunc function, gpointer data,
			  GError **error)
{
	static GThread *(*real)(const gchar *, GThreadFunc, gpointer, GError **);

	if (threads_left == 0) {
		g_set_error_literal(error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "none");
		return NULL;
	}
	if (threads_left > 0)
		threads_left--;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "g_thread_try_new");
	return real(name, function, data, error);
}

START_TEST(where_there_can_be_no_more_threads_fewer_do_it)
{
	const DaxcScrubOptions options = {.threads = 8};

	for (gint n = 0; n < 4; n++) {
		int fd = make_memory(32 * MIB);
		g_autoptr(GError) error = NULL;

		threads_left = n;
		ck_assert(daxc_scrub_fd(fd, 0, 32 * MIB, ALIGN, &options, NULL, &error));
		ck_assert_int_eq(threads_left, 0);
		threads_left = -1;
		ck_assert_uint_eq(count_zeros(fd, 32 * MIB), 32 * MIB);
		close(fd);
	}
}
END_TEST

/* ---- SIGBUS ---- */

START_TEST(a_caller_that_blocks_the_signal_gets_the_error_and_its_mask_back)
{
	int fd = make_memory(6 * MIB);
	g_autoptr(GError) error = NULL;
	sigset_t bus, before, after;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &bus, &before);
	ck_assert(!daxc_scrub_fd(fd, 0, SIZE, ALIGN, NULL, NULL, &error));
	unit_assert_error(error, DAXC_ERROR_MEMORY, "offset 0x600000");
	pthread_sigmask(SIG_SETMASK, &before, &after);
	ck_assert(sigismember(&after, SIGBUS));
	ck_assert(!sigismember(&after, SIGTERM));
	close(fd);
}
END_TEST

static volatile sig_atomic_t theirs;

static void their_handler(int number)
{
	theirs++;
}

static volatile sig_atomic_t sent_code;

/* Sends what is not about an access, in the middle of whatever this thread does. */
static void send_bus(int number)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = sent_code};

	syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info);
}

/* Zeroes with signals of a kind coming in until @enough of them went to their handler,
 * or there is an error; for 20 s at most. */
static void scrub_under_signals(int code, int enough, GError **error)
{
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};
	const DaxcScrubOptions options = {.threads = 1};
	struct sigaction bus = {.sa_handler = their_handler};
	struct sigaction alarms = {.sa_handler = send_bus, .sa_flags = SA_RESTART};
	struct sigaction before_bus, before_alarms, after;
	double end = seconds(CLOCK_MONOTONIC) + 20;
	int fd = make_memory(SIZE);
	gboolean ok = TRUE;

	theirs = 0;
	sent_code = code;
	sigaction(SIGBUS, &bus, &before_bus);
	sigaction(SIGALRM, &alarms, &before_alarms);
	setitimer(ITIMER_REAL, &often, NULL);
	while (ok && theirs < enough && seconds(CLOCK_MONOTONIC) < end)
		ok = daxc_scrub_fd(fd, 0, SIZE, ALIGN, &options, NULL, error);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before_alarms, NULL);
	sigaction(SIGBUS, &before_bus, &after);
	ck_assert(after.sa_handler == their_handler);
	close(fd);
}

START_TEST(the_handler_that_was_there_gets_what_is_not_ours)
{
	g_autoptr(GError) error = NULL;

	scrub_under_signals(SI_QUEUE, 20, &error);
	unit_assert_no_error(error);
	ck_assert_int_gt(theirs, 0);
}
END_TEST

/* So the kernel says that it cannot recover from a memory error. */
START_TEST(a_signal_of_the_kernel_without_an_address_is_about_what_we_touch)
{
	g_autoptr(GError) error = NULL;

	scrub_under_signals(SI_KERNEL, G_MAXINT, &error);
	unit_assert_error(error, DAXC_ERROR_MEMORY, "cannot be accessed");
}
END_TEST

static gpointer scrub_broken(gpointer data)
{
	const DaxcScrubOptions options = {.threads = 2};
	int fd = make_memory(6 * MIB);
	guint right = 0;

	for (guint i = 0; i < 20; i++) {
		guint64 bad = 0;

		if (!daxc_scrub_fd(fd, 0, SIZE, ALIGN, &options, &bad, NULL) &&
		    bad == 6 * MIB)
			right++;
	}
	close(fd);
	return GUINT_TO_POINTER(right);
}

START_TEST(callers_do_not_disturb_each_other)
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
	tcase_add_test(tcase, any_number_of_threads_zeroes_any_size);
	tcase_add_test(tcase, memory_that_fails_is_an_error_that_says_where);
	tcase_add_test(tcase,
		       of_several_threads_that_meet_failing_memory_the_lowest_counts);
	tcase_add_test(tcase,
		       memory_that_fails_in_the_middle_of_the_work_stops_all_threads);
	tcase_add_test(tcase, memory_that_was_taken_away_has_not_failed);
	tcase_add_test(tcase,
		       memory_that_does_not_become_zero_is_an_error_that_says_where);
	tcase_add_test(tcase, memory_that_cannot_be_mapped_is_an_error);
	tcase_add_test(tcase, ranges_that_cannot_be);
	tcase_add_test(tcase, who_says_stop_at_once_has_nothing_changed);
	tcase_add_test(tcase, who_says_stop_does_not_wait_for_the_rate);
	tcase_add_test(tcase,
		       the_rate_is_kept_evenly_by_all_threads_and_without_spinning);
	tcase_add_test(tcase, the_rate_is_not_made_up_for_after_a_pause);
	tcase_add_test(tcase, threads_run_near_the_memory_and_get_no_signals);
	tcase_add_test(tcase, cpus_that_are_not_allowed_are_not_used);
	tcase_add_test(tcase, where_there_can_be_no_more_threads_fewer_do_it);
	tcase_add_test(tcase,
		       a_caller_that_blocks_the_signal_gets_the_error_and_its_mask_back);
	tcase_add_test(tcase, the_handler_that_was_there_gets_what_is_not_ours);
	tcase_add_test(tcase,
		       a_signal_of_the_kernel_without_an_address_is_about_what_we_touch);
	tcase_add_test(tcase, callers_do_not_disturb_each_other);
	return unit_run(suite);
}
