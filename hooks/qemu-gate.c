// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libvirt executes as its hook: lets every domain that is not ours pass
 * at once, and hands ours to qemu-hook. libc only, so that the many guests of a
 * host that need no colors pay for no library, no file and no ledger.
 *
 *   daxcolor-qemu-hook DOMAIN OPERATION SUB-OPERATION EXTRA   < domain XML
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define PROGRAM "daxcolor-qemu-hook"
#define HOOK LIBEXECDIR "/qemu-hook"
/* No domain of libvirt's comes near this; qemu-hook itself reads 4 MiB. */
#define XML_MAX (16u << 20)

/*
 * Every domain of ours holds this somewhere: libvirt writes the namespace
 * urn:daxcolor:domain:1 and the emulator's path literally, whatever characters
 * they were defined with. The letters that spellings of "color" share, in any
 * case, so that a misspelled namespace gets to be refused.
 */
static const char mark[] = "daxcol";

static char xml[XML_MAX + 1];

__attribute__((format(printf, 2, 3))) static void complain(char **argv,
							   const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fprintf(stderr, PROGRAM ": guest %s, %s: %s\n", argv[1], argv[2], message);
	openlog(PROGRAM, LOG_PID, LOG_DAEMON);
	syslog(LOG_ERR, "guest %s, %s: %s", argv[1], argv[2], message);
}

/* A reconnect that fails makes libvirt kill the running guest, and after the
 * end of a guest nothing is left that a failure could stop. */
static bool must_succeed(const char *operation)
{
	return strcmp(operation, "reconnect") == 0 || strcmp(operation, "release") == 0 ||
	       strcmp(operation, "stopped") == 0;
}

/* Returns: bytes read, all there are, or -1 with errno set. */
static ssize_t read_xml(void)
{
	size_t size = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, xml + size, sizeof(xml) - size)) != 0) {
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			size += (size_t)n;
		if (size == sizeof(xml)) {
			errno = EFBIG;
			return -1;
		}
	}
	return (ssize_t)size;
}

static bool is_marked(size_t size)
{
	const size_t length = sizeof(mark) - 1;

	for (size_t i = 0; i + length <= size; i++) {
		if ((xml[i] | 0x20) == mark[0] && strncasecmp(xml + i, mark, length) == 0)
			return true;
	}
	return false;
}

/* Makes what was read standard input again. */
static bool rewind_stdin(size_t size)
{
	int fd = memfd_create("domain.xml", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return false;
	while (done < size) {
		ssize_t n = write(fd, xml + done, size - done);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			done += (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) == 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO;
}

/* Returns only when it failed. */
static void run_hook(char **argv)
{
	/* For tests. libvirt hands its hooks an environment of its own making. */
	const char *other = secure_getenv("DAXCOLOR_QEMU_HOOK");
	char *called = argv[0];

	argv[0] = (char *)(other ? other : HOOK);
	execv(argv[0], argv);
	complain(argv,
		 "cannot execute %s: %s; install all of daxcolor, or take its "
		 "hook out of libvirt's hooks/qemu.d",
		 argv[0], strerror(errno));
	argv[0] = called;
}

/* Whatever becomes of the hook (a library that it misses, a crash), the answer
 * is 0: it runs in a process of its own. */
static void run_hook_apart(char **argv)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		run_hook(argv);
		_exit(EXIT_SUCCESS);
	}
	if (child < 0) {
		complain(argv, "cannot fork: %s", strerror(errno));
		return;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		complain(argv,
			 "qemu-hook ended with %s %d; \"daxcolor recover\" does "
			 "what it has left",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	bool lenient;
	ssize_t size;

	if (argc < 3) {
		fprintf(stderr, "usage: " PROGRAM " DOMAIN OPERATION SUB-OPERATION EXTRA "
				"< domain XML; libvirt calls this as its hook\n");
		return 2;
	}
	lenient = must_succeed(argv[2]);
	size = read_xml();
	if (size >= 0 && !is_marked((size_t)size))
		return EXIT_SUCCESS;
	if (size < 0) {
		complain(argv, "cannot read the domain's XML: %s", strerror(errno));
	} else if (!rewind_stdin((size_t)size)) {
		complain(argv, "cannot hand on the domain's XML: %s", strerror(errno));
	} else if (lenient) {
		run_hook_apart(argv);
	} else {
		run_hook(argv);
	}
	return lenient ? EXIT_SUCCESS : EXIT_FAILURE;
}
