// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE

#include "adapters/memory-blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <daxcolor/error.h>

#define MEMORY "/sys/devices/system/memory"
/* How long the kernel may take to leave what it was asked to leave, and how often it is
 * asked: it does not hear what comes before it has begun. */
#define LEAVE_MS 10000
#define ASK_EVERY_MS 100

/* ---- memory blocks ---- */

guint64 daxc_memory_block_size(const char *root, GError **error)
{
	g_autofree char *path = g_strconcat(root, MEMORY "/block_size_bytes", NULL);
	g_autofree char *text = NULL;
	guint64 size = 0;

	if (!g_file_get_contents(path, &text, NULL, error))
		return 0;
	/* Hexadecimal, without 0x. */
	if (!g_ascii_string_to_unsigned(g_strchomp(text), 16, 1, G_MAXUINT64, &size,
					error))
		return 0;
	if ((size & (size - 1)) == 0)
		return size;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "%s says %" G_GUINT64_FORMAT ", which is no power of two", path,
		    size);
	return 0;
}

static int write_now(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		code = errno;
	close(fd);
	return code;
}

static gboolean is_online(const char *path)
{
	g_autofree char *state = NULL;

	return g_file_get_contents(path, &state, NULL, NULL) &&
	       strcmp(g_strchomp(state), "online") == 0;
}

/* Of a block that is online: it is in this zone. */
static gboolean is_movable(const char *root, guint64 number)
{
	g_autofree char *path = g_strdup_printf(
		"%s" MEMORY "/memory%" G_GUINT64_FORMAT "/valid_zones", root, number);
	g_autofree char *zones = NULL;

	return g_file_get_contents(path, &zones, NULL, NULL) &&
	       g_str_has_prefix(zones, "Movable");
}

static gboolean online_block(const char *root, guint64 number, GError **error)
{
	g_autofree char *path = g_strdup_printf(
		"%s" MEMORY "/memory%" G_GUINT64_FORMAT "/state", root, number);
	int code;

	/* A rule of udev's may have been faster, and may be once more. */
	if (is_online(path) && !is_movable(root, number))
		write_now(path, "offline");
	if (is_online(path) || write_now(path, "online_movable") == 0)
		return TRUE;
	code = write_now(path, "online");
	if (code == 0 || is_online(path))
		return TRUE;
	g_set_error(error, DAXC_ERROR, DAXC_ERROR_KERNEL,
		    "the host does not take memory block %" G_GUINT64_FORMAT
		    " (%s: %s); the kernel's log may say why",
		    number, path, g_strerror(code));
	return FALSE;
}

gboolean daxc_memory_online(const char *root, const GArray *extents, GError **error)
{
	guint64 size = daxc_memory_block_size(root, error);

	if (size == 0)
		return FALSE;
	for (guint i = 0; i < extents->len; i++) {
		const DaxcExtent *extent = &g_array_index(extents, DaxcExtent, i);

		for (guint64 at = 0; at < extent->size; at += size) {
			if (!online_block(root, (extent->start + at) / size, error))
				return FALSE;
		}
	}
	return TRUE;
}

/* ---- writes with a bound ---- */

static void wake_up(int number)
{
	(void)number;
}

/* In the child, where nothing may be called that is not safe in a signal handler. SIGTERM
 * ends the system call and not the process: what the kernel has to put right it does. */
static void write_in_child(const char *path, const char *text)
{
	struct sigaction action = {.sa_handler = wake_up};
	sigset_t none;

	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(write_now(path, text));
}

/* Returns: whether the child ended within @ms. */
static gboolean wait_child(int pidfd, gint64 ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int n;

	do {
		gint64 left = (end - g_get_monotonic_time()) / 1000;

		n = poll(&poll_fd, 1, (int)CLAMP(left, 0, G_MAXINT));
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static gboolean end_child(pid_t child, int pidfd)
{
	for (guint asked = 0; asked < LEAVE_MS / ASK_EVERY_MS; asked++) {
		kill(child, SIGTERM);
		if (wait_child(pidfd, ASK_EVERY_MS))
			return TRUE;
	}
	return FALSE;
}

/* Returns: as fork(); the child hears no SIGTERM before it is ready for one. */
static pid_t fork_writer(const char *path, const char *text)
{
	sigset_t term, before;
	pid_t child;
	int code;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	child = fork();
	if (child == 0)
		write_in_child(path, text);
	code = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = code;
	return child;
}

int daxc_write_bounded(const char *path, const char *text, guint wait_ms)
{
	pid_t child = fork_writer(path, text);
	int pidfd, status = 0, code = ETIMEDOUT;

	if (child < 0)
		return errno;
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	if (pidfd < 0 || wait_child(pidfd, wait_ms) || end_child(child, pidfd)) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		code = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	}
	if (pidfd >= 0)
		close(pidfd);
	return code;
}
