// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-scrub [MIB [ROUNDS]]
 *
 * How fast memory (default: a granule of 1 GiB) is zeroed, and zeroed and read back, on
 * all CPUs; beside it a memset, and the best loops of streaming writes and of reads
 * that could be written, without a way to stop, a rate or a handler for failing memory:
 * of all variants of them, the one whose median was best here. All take turns in every
 * round.
 *
 * The memory is mapped and there before: device-dax costs one fault a large page, and
 * other memory, which is all this machine may have, many more.
 */
#include "adapters/scrub.c"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define MIB ((guint64)1 << 20)
#define CHUNK (2 * MIB)
#define ROUNDS_MAX 1001u
#define GOAL 0.95

static guint8 *memory;
static guint64 size;
static guint n_threads;

/* ---- loops by hand ---- */

typedef guint64 (*Loop)(guint8 *at, guint64 bytes);

static guint64 plain_memset(guint8 *at, guint64 bytes)
{
	memset(at, 0, bytes);
	return 0;
}

#ifdef __x86_64__

static guint64 write_sse2(guint8 *at, guint64 bytes)
{
	for (const guint8 *end = at + bytes; at < end; at += 64)
		for (guint i = 0; i < 64; i += 16)
			_mm_stream_si128((__m128i *)(void *)(at + i),
					 _mm_setzero_si128());
	_mm_sfence();
	return 0;
}

__attribute__((target("avx2"))) static guint64 write_avx2(guint8 *at, guint64 bytes)
{
	for (const guint8 *end = at + bytes; at < end; at += 128)
		for (guint i = 0; i < 128; i += 32)
			_mm256_stream_si256((__m256i *)(void *)(at + i),
					    _mm256_setzero_si256());
	_mm_sfence();
	return 0;
}

__attribute__((target("avx512f"))) static guint64 write_avx512(guint8 *at, guint64 bytes)
{
	for (const guint8 *end = at + bytes; at < end; at += 256)
		for (guint i = 0; i < 256; i += 64)
			_mm512_stream_si512((__m512i *)(void *)(at + i),
					    _mm512_setzero_si512());
	_mm_sfence();
	return 0;
}

static guint64 read_sse2(guint8 *at, guint64 bytes)
{
	__m128i any = _mm_setzero_si128();

	for (const guint8 *end = at + bytes; at < end; at += 64) {
		const __m128i *v = (const __m128i *)(const void *)at;

		any |= (v[0] | v[1]) | (v[2] | v[3]);
	}
	return (guint64)_mm_movemask_epi8(any);
}

static guint64 read_ahead(guint8 *at, guint64 bytes)
{
	__m128i any = _mm_setzero_si128();

	for (const guint8 *end = at + bytes; at < end; at += 64) {
		const __m128i *v = (const __m128i *)(const void *)at;

		_mm_prefetch((const char *)at + 4096, _MM_HINT_NTA);
		any |= (v[0] | v[1]) | (v[2] | v[3]);
	}
	return (guint64)_mm_movemask_epi8(any);
}

__attribute__((target("avx2"))) static guint64 read_avx2(guint8 *at, guint64 bytes)
{
	__m256i any = _mm256_setzero_si256();

	for (const guint8 *end = at + bytes; at < end; at += 128) {
		const __m256i *v = (const __m256i *)(const void *)at;

		any |= (v[0] | v[1]) | (v[2] | v[3]);
	}
	return (guint64)_mm256_movemask_epi8(any);
}

__attribute__((target("avx2"))) static guint64 read_avx2_ahead(guint8 *at, guint64 bytes)
{
	__m256i any = _mm256_setzero_si256();

	for (const guint8 *end = at + bytes; at < end; at += 128) {
		const __m256i *v = (const __m256i *)(const void *)at;

		_mm_prefetch((const char *)at + 4096, _MM_HINT_NTA);
		_mm_prefetch((const char *)at + 4160, _MM_HINT_NTA);
		any |= (v[0] | v[1]) | (v[2] | v[3]);
	}
	return (guint64)_mm256_movemask_epi8(any);
}

__attribute__((target("avx512f"))) static guint64 read_avx512(guint8 *at, guint64 bytes)
{
	__m512i any = _mm512_setzero_si512();

	for (const guint8 *end = at + bytes; at < end; at += 256) {
		const __m512i *v = (const __m512i *)(const void *)at;

		any |= (v[0] | v[1]) | (v[2] | v[3]);
	}
	return _mm512_test_epi64_mask(any, any);
}

__attribute__((target("avx512f"))) static guint64 read_avx512_ahead(guint8 *at,
								    guint64 bytes)
{
	__m512i any = _mm512_setzero_si512();

	for (const guint8 *end = at + bytes; at < end; at += 256) {
		const __m512i *v = (const __m512i *)(const void *)at;

		for (guint i = 0; i < 256; i += 64)
			_mm_prefetch((const char *)at + 4096 + i, _MM_HINT_NTA);
		any |= (v[0] | v[1]) | (v[2] | v[3]);
	}
	return _mm512_test_epi64_mask(any, any);
}

#endif

/**
 * Hand: a loop on all threads.
 * @next: offset of the chunk that is taken next
 */
typedef struct {
	Loop loop;
	guint64 next;
} Hand;

/* Chunks: where each thread had its part of all, the last one would count. */
static gpointer run_hand(gpointer data)
{
	Hand *hand = data;
	guint64 at = __atomic_fetch_add(&hand->next, CHUNK, __ATOMIC_RELAXED);
	guint64 keep = 0;

	while (at < size) {
		keep |= hand->loop(memory + at, CHUNK);
		at = __atomic_fetch_add(&hand->next, CHUNK, __ATOMIC_RELAXED);
	}
	/* So that the compiler cannot know that nobody wants it. */
	return keep ? &hand->loop : NULL;
}

static void by_hand(Loop loop, guint threads)
{
	GThread *others[THREADS_MAX];
	Hand hand = {loop, 0};

	for (guint i = 1; i < threads; i++)
		others[i] = g_thread_new("hand", run_hand, &hand);
	run_hand(&hand);
	for (guint i = 1; i < threads; i++)
		g_thread_join(others[i]);
}

/* ---- ours ---- */

static void ours(gboolean read_back)
{
	const DaxcScrubOptions options = {.threads = 0};
	Job job;

	job_init(&job, memory, size, &options);
	if (!read_back)
		job.end = size;
	run(&job);
	if (job.failed) {
		fprintf(stderr,
			"bench-scrub: memory at offset 0x%" G_GINT64_MODIFIER "x %s\n",
			job.bad, job.failed);
		exit(EXIT_FAILURE);
	}
	job_clear(&job);
}

/* ---- rounds ---- */

enum {
	CLOCK,
	CPU,
};

typedef enum {
	MEMSET_ONE,
	MEMSET_ALL,
	WRITE,
	READ,
	OURS_WRITE,
	OURS,
} Kind;

/**
 * Contender:
 * @needs: (nullable): what the processor must have
 * @ms: by the clock, and of CPU time of all threads together
 */
typedef struct {
	Kind kind;
	const char *name;
	Loop loop;
	const char *needs;
	double ms[2][ROUNDS_MAX];
} Contender;

static Contender contenders[] = {
	{MEMSET_ONE, "memset, one thread", plain_memset},
	{MEMSET_ALL, "memset, all threads", plain_memset},
#ifdef __x86_64__
	{WRITE, "streaming write, SSE2", write_sse2},
	{WRITE, "streaming write, AVX2", write_avx2, "avx2"},
	{WRITE, "streaming write, AVX-512", write_avx512, "avx512f"},
	{READ, "read, SSE2", read_sse2},
	{READ, "read, SSE2 with prefetch", read_ahead},
	{READ, "read, AVX2", read_avx2, "avx2"},
	{READ, "read, AVX2 with prefetch", read_avx2_ahead, "avx2"},
	{READ, "read, AVX-512", read_avx512, "avx512f"},
	{READ, "read, AVX-512 with prefetch", read_avx512_ahead, "avx512f"},
#endif
	{OURS_WRITE, "daxcolor, writing"},
	{OURS, "daxcolor, writing and reading back"},
};

static gboolean can_run(const Contender *contender)
{
#ifdef __x86_64__
	if (contender->needs && strcmp(contender->needs, "avx2") == 0)
		return __builtin_cpu_supports("avx2") != 0;
	if (contender->needs)
		return __builtin_cpu_supports("avx512f") != 0;
#endif
	return TRUE;
}

static double now(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static void run_loop(const Contender *contender)
{
	switch (contender->kind) {
	case MEMSET_ONE:
		by_hand(contender->loop, 1);
		break;
	case OURS_WRITE:
	case OURS:
		ours(contender->kind == OURS);
		break;
	default:
		by_hand(contender->loop, n_threads);
	}
}

static void run_once(Contender *contender, guint round)
{
	double clock = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);

	run_loop(contender);
	contender->ms[CLOCK][round] = now(CLOCK_MONOTONIC) - clock;
	contender->ms[CPU][round] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Another one begins every time, and every second time backwards: what runs after
 * what matters. */
static void run_round(guint round)
{
	const guint n = G_N_ELEMENTS(contenders);

	for (guint i = 0; i < n; i++) {
		guint turn = round % 2 ? n - 1 - i : i;
		Contender *contender = &contenders[(turn + round) % n];

		if (can_run(contender))
			run_once(contender, round);
	}
}

/* After sorting. Returns: the one of a kind whose median is the least. */
static const Contender *best_of(Kind kind, guint time, guint middle)
{
	const Contender *best = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(contenders); i++)
		if (contenders[i].kind == kind && can_run(&contenders[i]) &&
		    (!best || contenders[i].ms[time][middle] < best->ms[time][middle]))
			best = &contenders[i];
	return best;
}

static void print_ratios(const char *what, guint time, guint middle)
{
	const Contender *write_ = best_of(WRITE, time, middle);
	const Contender *read_ = best_of(READ, time, middle);
	double writing = best_of(OURS_WRITE, time, middle)->ms[time][middle];
	double both = best_of(OURS, time, middle)->ms[time][middle];

	printf("%s (%s; %s):\n", what, write_->name, read_->name);
	printf("  writing                    %.3f of the best streaming write (goal: "
	       "%.2f), %.2f times memset on all threads\n",
	       write_->ms[time][middle] / writing, GOAL,
	       best_of(MEMSET_ALL, time, middle)->ms[time][middle] / writing);
	printf("  writing and reading back   %.3f of both best loops (goal: %.2f)\n",
	       (write_->ms[time][middle] + read_->ms[time][middle]) / both, GOAL);
}

static void print_all(guint rounds)
{
	const guint middle = rounds / 2;

	printf("%-36s %11s %13s %11s\n", "", "time", "", "CPU time");
	for (guint i = 0; i < G_N_ELEMENTS(contenders); i++) {
		double ms = contenders[i].ms[CLOCK][middle];

		if (can_run(&contenders[i]))
			printf("%-36s %8.2f ms %8.1f GB/s %8.2f ms\n", contenders[i].name,
			       ms, (double)size / ms / 1e6,
			       contenders[i].ms[CPU][middle]);
	}
	if (!best_of(WRITE, CLOCK, middle)) {
		printf("no streaming writes are known for this processor\n");
		return;
	}
	print_ratios("by the clock", CLOCK, middle);
	print_ratios("by CPU time, which others at work disturb less", CPU, middle);
}

/* Large pages of the kernel's pool where it has some, else what it makes of ours. */
static const char *get_memory(void)
{
	void *space = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1,
			   0);

	if (space != MAP_FAILED) {
		memory = space;
		return "hugetlb";
	}
	space = mmap(NULL, size + CHUNK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED) {
		fprintf(stderr, "bench-scrub: no memory: %s\n", g_strerror(errno));
		exit(EXIT_FAILURE);
	}
	madvise(space, size + CHUNK, MADV_HUGEPAGE);
	memory = (guint8 *)space + (CHUNK - (guintptr)space % CHUNK) % CHUNK;
	memset(memory, 0xa5, size);
	return "anonymous with MADV_HUGEPAGE";
}

/* Returns: KiB of transparent large pages of this process. */
static guint64 large_pages(void)
{
	g_autofree char *text = NULL;
	const char *line;

	if (!g_file_get_contents("/proc/self/smaps_rollup", &text, NULL, NULL))
		return 0;
	line = strstr(text, "AnonHugePages:");
	return line ? g_ascii_strtoull(line + strlen("AnonHugePages:"), NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	guint64 mib = argc > 1 ? g_ascii_strtoull(argv[1], NULL, 10) : 1024;
	guint rounds = argc > 2 ? (guint)g_ascii_strtoull(argv[2], NULL, 10) : 51;
	const char *kind;
	CpuMask mask;

	if (argc > 3 || mib < 64 || mib % 2 || mib > 1 << 20 || rounds < 1 ||
	    rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench-scrub [MIB [ROUNDS]]\n");
		return 2;
	}
	size = mib * MIB;
	n_threads = MIN(bind_to(NULL, &mask), THREADS_MAX);
	kind = get_memory();
	printf("%" G_GUINT64_FORMAT " MiB of %s memory (%" G_GUINT64_FORMAT
	       " MiB in transparent large pages), %u threads, medians of %u rounds\n",
	       mib, kind, large_pages() / 1024, n_threads, rounds);
	for (guint i = 0; i < rounds; i++)
		run_round(i);
	for (guint i = 0; i < G_N_ELEMENTS(contenders); i++)
		for (guint time = CLOCK; time <= CPU; time++)
			qsort(contenders[i].ms[time], rounds, sizeof(double), by_value);
	print_all(rounds);
	return 0;
}
