// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Zeroes memory behind a file descriptor and reads it back. Failing memory is met
 * here first: a SIGBUS becomes an error that says where.
 */
#include "adapters/scrub.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <daxcolor/error.h>

/**
 * Guard: where a SIGBUS of this thread goes.
 * @start, @end: addresses that this thread works on
 * @fault: the address that failed
 */
typedef struct {
	sigjmp_buf env;
	guintptr start;
	guintptr end;
	guintptr fault;
} Guard;

static _Thread_local Guard *guard;

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

	if (!mine || address < mine->start || address >= mine->end) {
		pass_on(number, info, context);
		return;
	}
	mine->fault = address;
	siglongjmp(mine->env, 1);
}

static void handler_get(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

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

#ifdef __SSE2__

/* Past the caches: the read back must come from memory, and guests keep theirs. */
static void write_zeros(guint8 *memory, guint64 size)
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

#else

static void write_zeros(guint8 *memory, guint64 size)
{
	memset(memory, 0, size);
}

#endif

/* Returns: offset of the first 64 bytes that are not all 0, else @size. */
static guint64 find_nonzero(const guint8 *memory, guint64 size)
{
	for (guint64 offset = 0; offset < size; offset += 64) {
		const volatile guint64 *at =
			(const volatile guint64 *)(const void *)(memory + offset);

		if (at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7])
			return offset;
	}
	return size;
}

static gboolean scrub(guint8 *memory, guint64 size, GError **error)
{
	Guard mine = {.start = (guintptr)memory, .end = (guintptr)memory + size};
	guint64 dirty;

	if (sigsetjmp(mine.env, 1)) {
		guard = NULL;
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "memory at offset 0x%" G_GINT64_MODIFIER
			    "x cannot be accessed: it has failed, or was taken away",
			    (guint64)(mine.fault - mine.start));
		return FALSE;
	}
	guard = &mine;
	write_zeros(memory, size);
	dirty = find_nonzero(memory, size);
	guard = NULL;
	if (dirty == size)
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
		    "memory at offset 0x%" G_GINT64_MODIFIER
		    "x is not zero after zeros were written",
		    dirty);
	return FALSE;
}

/* Maps at a multiple of @align: the kernel's own choice of an address is aligned
 * only if a file system or device asks for it. */
static guint8 *map_aligned(int fd, guint64 size, guint64 align, guint8 **reserved,
			   GError **error)
{
	guint8 *space = mmap(NULL, size + align, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	guint8 *memory = MAP_FAILED;
	int code = errno;

	if (space != MAP_FAILED) {
		memory = space + (align - (guintptr)space % align) % align;
		memory = mmap(memory, size, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, 0);
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

gboolean daxc_scrub_fd(int fd, guint64 size, guint64 align, GError **error)
{
	guint8 *memory, *reserved;
	gboolean ok;

	if (align < 4096 || (align & (align - 1)) || size == 0 || size % align ||
	    size > G_MAXSSIZE - align) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_FAILED,
			    "cannot zero %" G_GUINT64_FORMAT " bytes with align "
			    "%" G_GUINT64_FORMAT,
			    size, align);
		return FALSE;
	}
	memory = map_aligned(fd, size, align, &reserved, error);
	if (!memory)
		return FALSE;
	handler_get();
	ok = scrub(memory, size, error);
	handler_put();
	munmap(reserved, size + align);
	return ok;
}
