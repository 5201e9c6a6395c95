// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Zeroes memory behind a file descriptor and reads it back. Failing memory is met
 * here first: a SIGBUS becomes an error that says where.
 */
#define _GNU_SOURCE /* sched_setaffinity */

#include "adapters/scrub.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include <daxcolor/error.h>

#define PAGE ((guint64)4096)
#define LINE ((guint64)64)
/* What a thread does at once: a large page, so that no two meet in its fault, and
 * little enough that they end together. */
#define STEP ((guint64)2 << 20)
/* Under a rate limit, so that guests see an even load. */
#define STEP_MIN ((guint64)64 << 10)
#define STEPS_PER_SECOND 1000
/* Memory for which another thread costs less than it saves. */
#define SHARE ((guint64)16 << 20)
/* More do not fill the channels of a node any better. */
#define THREADS_MAX 32u
#define THREADS_ASKED_MAX 256u
/* Microseconds between questions to proceed(). */
#define ASK_US 50000
/* How far a thread that woke up late may catch up with the rate. */
#define CATCH_UP_US 10000

/**
 * Guard: where a SIGBUS of this thread goes.
 * @start, @end: addresses that this thread works on
 * @at: what it is working on just now
 * @fault: the address that failed
 */
typedef struct {
	sigjmp_buf env;
	guintptr start;
	guintptr end;
	guintptr at;
	guintptr fault;
} Guard;

/* CPUs beyond the 1024 of one cpu_set_t. */
typedef struct {
	cpu_set_t set[8];
} CpuMask;

typedef struct Job Job;

/**
 * Worker: a thread.
 * @caller: it is the one that called us
 * @writing: offset of the step that it has not written yet; G_MAXUINT64: none
 */
typedef struct {
	Job *job;
	gboolean caller;
	guint64 writing;
} Worker;

/**
 * Job: one range of memory.
 * @memory, @size: the mapping
 * @step: bytes that a thread does at once
 * @end: bytes of work: @size to write, then @size to read
 * @lock: for all below
 * @changed: somebody may wait for what was done now, or all threads stop
 * @workers: @n_workers of them
 * @next: bytes of work that threads have taken
 * @done: bytes of work that are done
 * @due: microseconds: when the rate allows the next step
 * @ask_at: microseconds: when proceed() is called next
 * @failed: why memory failed, for the error; NULL: it did not
 * @vanished: @failed by SIGBUS, which need not be the memory's fault
 * @bad: offset in the mapping of the memory that failed
 */
struct Job {
	guint8 *memory;
	guint64 size;
	const DaxcScrubOptions *options;
	guint64 step;
	guint64 end;
	GMutex lock;
	GCond changed;
	guint64 next;
	guint64 done;
	double due;
	gint64 ask_at;
	gboolean stop;
	const char *failed;
	gboolean vanished;
	guint64 bad;
	Worker workers[THREADS_ASKED_MAX];
	guint n_workers;
};

/* ---- SIGBUS ---- */

/* Not allocated by the handler of a thread that is not ours. */
static _Thread_local Guard *guard __attribute__((tls_model("initial-exec")));

static GMutex handler_lock;
static guint handler_users;
static struct sigaction handler_before;

static void pass_on(int number, siginfo_t *info, void *context)
{
	if (handler_before.sa_flags & SA_SIGINFO) {
		handler_before.sa_sigaction(number, info, context);
	} else if (handler_before.sa_handler == SIG_DFL ||
		   handler_before.sa_handler == SIG_IGN) {
		/* The access is made again on return, and then it is deadly. */
		signal(SIGBUS, SIG_DFL);
	} else {
		handler_before.sa_handler(number);
	}
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	Guard *mine = guard;
	guintptr address = (guintptr)info->si_addr;
	gboolean within = mine && address >= mine->start && address < mine->end;

	/* After a memory error that it cannot recover from the kernel names no address
	 * (SI_KERNEL). What a process sends has no address either, but something else
	 * in its place (codes up to 0). */
	if (mine && info->si_code == SI_KERNEL)
		mine->fault = mine->at;
	else if (within && info->si_code > 0)
		mine->fault = address;
	else
		mine = NULL;
	if (mine)
		siglongjmp(mine->env, 1);
	pass_on(number, info, context);
}

static void handler_get(void)
{
	/* SA_NODEFER: the handler is left by a jump that restores no mask. */
	struct sigaction action = {.sa_sigaction = on_sigbus,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};

	g_mutex_lock(&handler_lock);
	sigemptyset(&action.sa_mask);
	if (handler_users++ == 0)
		sigaction(SIGBUS, &action, &handler_before);
	g_mutex_unlock(&handler_lock);
}

static void handler_put(void)
{
	g_mutex_lock(&handler_lock);
	if (--handler_users == 0)
		sigaction(SIGBUS, &handler_before, NULL);
	g_mutex_unlock(&handler_lock);
}

/* ---- memory ---- */

#ifdef __SSE2__

static void write_zeros_sse2(guint8 *memory, guint64 size)
{
	const __m128i zero = _mm_setzero_si128();
	__m128i *at = (__m128i *)(void *)memory;
	const __m128i *end = at + size / sizeof(*at);

	for (; at < end; at += 4) {
		_mm_stream_si128(at, zero);
		_mm_stream_si128(at + 1, zero);
		_mm_stream_si128(at + 2, zero);
		_mm_stream_si128(at + 3, zero);
	}
	_mm_sfence();
}

/* Two lines at a time: a tenth faster; still wider stores are not (bench-scrub). */
__attribute__((target("avx2"))) static void write_zeros_avx2(guint8 *memory, guint64 size)
{
	const __m256i zero = _mm256_setzero_si256();
	__m256i *at = (__m256i *)(void *)memory;
	const __m256i *end = at + size / sizeof(*at);

	for (; at < end; at += 4) {
		_mm256_stream_si256(at, zero);
		_mm256_stream_si256(at + 1, zero);
		_mm256_stream_si256(at + 2, zero);
		_mm256_stream_si256(at + 3, zero);
	}
	_mm_sfence();
}

/* Past the caches: the read back must come from memory, and guests keep theirs.
 * @size is a multiple of a page. */
static void write_zeros(guint8 *memory, guint64 size)
{
	if (__builtin_cpu_supports("avx2"))
		write_zeros_avx2(memory, size);
	else
		write_zeros_sse2(memory, size);
}

/* Prefetched so that it leaves little in the caches, which is as fast as wider loads
 * are. What is behind the end may be prefetched too: that cannot fail. */
static gboolean is_zero(const guint8 *memory, guint64 size)
{
	__m128i any = _mm_setzero_si128();

	for (guint64 offset = 0; offset < size; offset += LINE) {
		const __m128i *at = (const __m128i *)(const void *)(memory + offset);

		_mm_prefetch((const char *)memory + offset + PAGE, _MM_HINT_NTA);
		any |= (at[0] | at[1]) | (at[2] | at[3]);
	}
	return _mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) == 0xffff;
}

#else

static void write_zeros(guint8 *memory, guint64 size)
{
	memset(memory, 0, size);
}

static gboolean is_zero(const guint8 *memory, guint64 size)
{
	guint64 any = 0;

	for (guint64 offset = 0; offset < size; offset += LINE) {
		const volatile guint64 *at =
			(const volatile guint64 *)(const void *)(memory + offset);

		any |= at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7];
	}
	return any == 0;
}

#endif

/* Returns: offset of the first line that is not all 0, else @size. */
static guint64 find_nonzero(const guint8 *memory, guint64 size)
{
	guint64 page = 0, line;

	while (page < size && is_zero(memory + page, PAGE))
		page += PAGE;
	if (page >= size)
		return size;
	for (line = page; line < page + PAGE; line += LINE)
		if (!is_zero(memory + line, LINE))
			return line;
	/* It was not, and now it is. */
	return page;
}

/* ---- the work, shared by all threads ---- */

/* With the lock held. */
static void stop(Job *job)
{
	job->stop = TRUE;
	g_cond_broadcast(&job->changed);
}

static void fail(Job *job, guint64 bad, gboolean vanished, const char *why)
{
	g_mutex_lock(&job->lock);
	if (!job->failed || bad < job->bad) {
		job->failed = why;
		job->vanished = vanished;
		job->bad = bad;
	}
	stop(job);
	g_mutex_unlock(&job->lock);
}

/* With the lock held, which is released meanwhile. */
static void ask(Job *job)
{
	const DaxcScrubOptions *options = job->options;
	gint64 now = g_get_monotonic_time();
	guint64 done = job->done / 2;
	gboolean go_on;

	if (!options->proceed || now < job->ask_at)
		return;
	g_mutex_unlock(&job->lock);
	go_on = options->proceed(done, options->data);
	g_mutex_lock(&job->lock);
	job->ask_at = g_get_monotonic_time() + ASK_US;
	if (!go_on)
		stop(job);
}

/* With the lock held, which is released meanwhile. */
static void wait_until(const Worker *worker, gint64 until)
{
	Job *job = worker->job;

	if (worker->caller && job->options->proceed)
		until = MIN(until, job->ask_at);
	if (until == G_MAXINT64)
		g_cond_wait(&job->changed, &job->lock);
	else
		g_cond_wait_until(&job->changed, &job->lock, until);
	if (worker->caller)
		ask(job);
}

/* Until the rate allows @bytes more. */
static void wait_for_turn(const Worker *worker, guint64 bytes)
{
	gint64 now = g_get_monotonic_time(), mine;
	Job *job = worker->job;

	if (job->options->rate == 0)
		return;
	job->due = MAX(job->due, (double)(now - CATCH_UP_US));
	mine = (gint64)job->due;
	job->due += (double)bytes / 2 / (double)job->options->rate * G_USEC_PER_SEC;
	while (!job->stop && g_get_monotonic_time() < mine)
		wait_until(worker, mine);
}

/* Returns: offset below which all is written. */
static guint64 written(const Job *job)
{
	guint64 offset = MIN(job->next, job->size);

	for (guint i = 0; i < job->n_workers; i++)
		offset = MIN(offset, job->workers[i].writing);
	return offset;
}

/* What other threads write may take them long: they have to share their CPU. */
static void wait_for_writers(const Worker *worker, guint64 end)
{
	while (!worker->job->stop && written(worker->job) < end)
		wait_until(worker, G_MAXINT64);
}

static void wait_for_all(const Worker *worker)
{
	while (!worker->job->stop && worker->job->done < worker->job->end)
		wait_until(worker, G_MAXINT64);
}

/*
 * Takes the next step. Reading begins when all of it is written, but for what other
 * threads are just writing: then the most that can be is out of the caches, and where
 * memory is behind a memory-side cache, granules of one color have pushed each other
 * out of that.
 */
static gboolean take(Worker *worker, guint64 *at, guint64 *size)
{
	Job *job = worker->job;
	gboolean reading = job->next >= job->size;

	if (job->stop || job->next >= job->end)
		return FALSE;
	*at = job->next;
	*size = MIN(job->step, job->size - *at % job->size);
	job->next += *size;
	if (reading)
		wait_for_writers(worker, *at % job->size + *size);
	else
		worker->writing = *at;
	wait_for_turn(worker, *size);
	return !job->stop;
}

/* Returns: offset of the first bytes that are not as they must be, else @size. */
static guint64 write_or_read(guint8 *memory, guint64 size, gboolean reading)
{
	if (reading)
		return find_nonzero(memory, size);
	write_zeros(memory, size);
	return size;
}

static gboolean do_step(Job *job, guint64 at, guint64 size)
{
	gboolean reading = at >= job->size;
	guint8 *memory = job->memory + at % job->size;
	Guard mine = {.start = (guintptr)job->memory,
		      .end = (guintptr)job->memory + job->size,
		      .at = (guintptr)memory};
	guint64 good;

	if (sigsetjmp(mine.env, 0)) {
		guard = NULL;
		fail(job, mine.fault - mine.start, TRUE, "cannot be accessed");
		return FALSE;
	}
	guard = &mine;
	atomic_signal_fence(memory_order_seq_cst);
	good = write_or_read(memory, size, reading);
	atomic_signal_fence(memory_order_seq_cst);
	guard = NULL;
	if (good < size)
		fail(job, at % job->size + good, FALSE,
		     "is not zero after zeros were written");
	return good == size;
}

/* With the lock held. */
static void finish(Worker *worker, guint64 size)
{
	Job *job = worker->job;
	gboolean wrote = worker->writing != G_MAXUINT64;

	worker->writing = G_MAXUINT64;
	job->done += size;
	if ((wrote && job->next > job->size) || job->done == job->end)
		g_cond_broadcast(&job->changed);
}

static void work(Worker *worker)
{
	Job *job = worker->job;
	guint64 at, size;
	gboolean ok = TRUE;

	g_mutex_lock(&job->lock);
	while (ok && take(worker, &at, &size)) {
		g_mutex_unlock(&job->lock);
		ok = do_step(job, at, size);
		g_mutex_lock(&job->lock);
		if (ok)
			finish(worker, size);
		if (worker->caller)
			ask(job);
	}
	if (worker->caller)
		wait_for_all(worker);
	g_mutex_unlock(&job->lock);
}

/* ---- threads ---- */

static gpointer run_thread(gpointer data)
{
	work(data);
	return NULL;
}

static guint64 step_for(guint64 rate)
{
	double even = 2 * (double)rate / STEPS_PER_SECOND;

	if (rate == 0 || even >= (double)STEP)
		return STEP;
	return MAX((guint64)even / PAGE * PAGE, STEP_MIN);
}

static void job_init(Job *job, guint8 *memory, guint64 size,
		     const DaxcScrubOptions *options)
{
	gint64 now = g_get_monotonic_time();

	*job = (Job){.memory = memory,
		     .size = size,
		     .options = options,
		     .step = step_for(options->rate),
		     .end = 2 * size,
		     .due = (double)now,
		     .ask_at = now};
	for (guint i = 0; i < THREADS_ASKED_MAX; i++)
		job->workers[i] = (Worker){job, i == 0, G_MAXUINT64};
	g_mutex_init(&job->lock);
	g_cond_init(&job->changed);
}

static void job_clear(Job *job)
{
	g_mutex_clear(&job->lock);
	g_cond_clear(&job->changed);
}

static guint count_cpus(const CpuMask *mask)
{
	return (guint)MAX(CPU_COUNT_S(sizeof(mask->set), mask->set), 1);
}

/**
 * bind_to:
 * @before: (out): the calling thread's affinity until now
 *
 * Binds the calling thread, from which others inherit it, to those of @cpus that its
 * affinity allows. Where it allows none, somebody wanted it so.
 *
 * Returns: on how many CPUs it may run.
 */
static guint bind_to(const GArray *cpus, CpuMask *before)
{
	CpuMask near = {0};

	memset(before, 0, sizeof(*before));
	if (sched_getaffinity(0, sizeof(before->set), before->set) != 0)
		return g_get_num_processors();
	for (guint i = 0; cpus && i < cpus->len; i++) {
		guint cpu = g_array_index(cpus, guint, i);

		if (CPU_ISSET_S(cpu, sizeof(before->set), before->set))
			CPU_SET_S(cpu, sizeof(near.set), near.set);
	}
	if (CPU_COUNT_S(sizeof(near.set), near.set) == 0 ||
	    sched_setaffinity(0, sizeof(near.set), near.set) != 0)
		return count_cpus(before);
	return count_cpus(&near);
}

static void unbind(const CpuMask *before)
{
	if (CPU_COUNT_S(sizeof(before->set), before->set) > 0)
		sched_setaffinity(0, sizeof(before->set), before->set);
}

static guint threads_for(const Job *job, guint cpus)
{
	guint64 steps = (job->size - 1) / job->step + 1;
	guint64 shares = (job->size - 1) / SHARE + 1;
	guint asked = job->options->threads;

	if (asked > 0)
		return (guint)MIN(MIN(asked, THREADS_ASKED_MAX), steps);
	return (guint)MIN(MIN(cpus, THREADS_MAX), shares);
}

/* Makes as many threads as the system has for us. They get no signals but that of
 * failing memory. */
static GPtrArray *start_threads(Job *job)
{
	GPtrArray *threads = g_ptr_array_new();
	sigset_t all, before;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (threads->len + 1 < job->n_workers) {
		GThread *thread = g_thread_try_new("daxcolor-zero", run_thread,
						   &job->workers[threads->len + 1], NULL);

		if (!thread)
			break;
		g_ptr_array_add(threads, thread);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return threads;
}

/* The calling thread works too: alone, where there can be no other. */
static void run(Job *job)
{
	g_autoptr(GPtrArray) threads = NULL;
	sigset_t bus, before;
	CpuMask affinity;

	g_mutex_lock(&job->lock);
	ask(job);
	g_mutex_unlock(&job->lock);
	if (job->stop)
		return;
	job->n_workers = threads_for(job, bind_to(job->options->cpus, &affinity));
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	handler_get();
	pthread_sigmask(SIG_UNBLOCK, &bus, &before);
	threads = start_threads(job);
	work(&job->workers[0]);
	for (guint i = 0; i < threads->len; i++)
		g_thread_join(threads->pdata[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	handler_put();
	unbind(&affinity);
}

/* ---- the mapping ---- */

/* Maps at a multiple of @align: the kernel's own choice of an address is aligned
 * only if a file system or device asks for it. */
static guint8 *map_aligned(int fd, guint64 offset, guint64 size, guint64 align,
			   guint8 **reserved, GError **error)
{
	guint8 *space = mmap(NULL, size + align, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	guint8 *memory = MAP_FAILED;
	int code = errno;

	if (space != MAP_FAILED) {
		memory = space + (align - (guintptr)space % align) % align;
		memory = mmap(memory, size, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
		code = errno;
	}
	if (memory == MAP_FAILED) {
		if (space != MAP_FAILED)
			munmap(space, size + align);
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot map %" G_GUINT64_FORMAT " bytes to zero them: %s",
			    size, g_strerror(code));
		return NULL;
	}
	*reserved = space;
	return memory;
}

/* A device that was unbound or deleted raises SIGBUS too, and can never again be
 * mapped through this descriptor. Its memory has not failed. */
static gboolean is_still_there(int fd, guint64 offset, guint64 align)
{
	guint8 *reserved;

	if (!map_aligned(fd, offset, align, align, &reserved, NULL))
		return FALSE;
	munmap(reserved, 2 * align);
	return TRUE;
}

static gboolean check_range(guint64 offset, guint64 size, guint64 align, GError **error)
{
	if (align >= PAGE && (align & (align - 1)) == 0 && size > 0 &&
	    size % align == 0 && offset % align == 0 && align <= G_MAXINT64 / 4 &&
	    size <= G_MAXINT64 / 4 && offset <= G_MAXINT64 - size)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_INVALID,
		    "cannot zero %" G_GUINT64_FORMAT
		    " bytes at offset 0x%" G_GINT64_MODIFIER
		    "x with align %" G_GUINT64_FORMAT,
		    size, offset, align);
	return FALSE;
}

static gboolean outcome(const Job *job, int fd, guint64 offset, guint64 align,
			guint64 *bad, GError **error)
{
	guint64 at = offset + job->bad;

	if (!job->failed && job->done == job->end)
		return TRUE;
	if (!job->failed) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_CANCELED,
			    "zeroing was stopped after %" G_GUINT64_FORMAT
			    " of %" G_GUINT64_FORMAT " bytes",
			    job->done / 2, job->size);
		return FALSE;
	}
	if (job->vanished && !is_still_there(fd, offset, align)) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "the memory was taken away while it was being zeroed: "
			    "somebody has disabled its device");
		return FALSE;
	}
	if (bad)
		*bad = at;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_MEMORY,
		    "memory at offset 0x%" G_GINT64_MODIFIER "x %s", at, job->failed);
	return FALSE;
}

gboolean daxc_scrub_fd(int fd, guint64 offset, guint64 size, guint64 align,
		       const DaxcScrubOptions *options, guint64 *bad, GError **error)
{
	static const DaxcScrubOptions defaults;
	guint8 *memory, *reserved;
	Job job;
	gboolean ok;

	if (!check_range(offset, size, align, error))
		return FALSE;
	memory = map_aligned(fd, offset, size, align, &reserved, error);
	if (!memory)
		return FALSE;
	job_init(&job, memory, size, options ? options : &defaults);
	run(&job);
	munmap(reserved, size + align);
	ok = outcome(&job, fd, offset, align, bad, error);
	job_clear(&job);
	return ok;
}
