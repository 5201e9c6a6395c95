// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waiting for other processes of ours, with a bound: for one that is at work on
 * the same guest, and for scrubbers, which are asked to let go.
 */
#define _GNU_SOURCE

#include "provision/provision.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <daxcolor/error.h>

#define LOOK_AGAIN_US 5000
#define SAY_AFTER_US ((gint64)2 * G_USEC_PER_SEC)
/* A guest that ends lets go of its pins by then; who keeps them may do so for long. */
#define SHORT_US ((gint64)2 * G_USEC_PER_SEC)

/* The pidfd is opened before the process is looked at: it stays the same one. */
static void ask_to_stop(const DaxcCarving *scrub)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)scrub->pid, 0);

	if (fd < 0)
		return;
	if (daxc_maker_lives(scrub))
		syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
	close(fd);
}

void daxc_wait_begin(DaxcWaiting *waiting, const DaxcHost *host)
{
	gint64 now = g_get_monotonic_time();

	waiting->end = now + (gint64)host->config->wait_ms * 1000;
	waiting->said = now + SAY_AFTER_US;
	waiting->asked = 0;
}

void daxc_wait_begin_short(DaxcWaiting *waiting, const DaxcHost *host)
{
	daxc_wait_begin(waiting, host);
	waiting->end = MIN(waiting->end, g_get_monotonic_time() + SHORT_US);
}

gboolean daxc_wait_a_moment(const DaxcWaiting *waiting)
{
	gint64 now = g_get_monotonic_time();

	if (now >= waiting->end)
		return FALSE;
	g_usleep((gulong)MIN(LOOK_AGAIN_US, waiting->end - now));
	return TRUE;
}

gboolean daxc_wait_for(DaxcWaiting *waiting, const DaxcCarving *other, GError **error)
{
	const char *doing = other->state == DAXC_CARVING_SCRUBBING
				    ? "is zeroing memory that is needed"
				    : "is at work on the same guest";
	gint64 now = g_get_monotonic_time();

	if (other->state == DAXC_CARVING_SCRUBBING && waiting->asked != other->id) {
		ask_to_stop(other);
		waiting->asked = other->id;
	}
	if (now >= waiting->end) {
		g_set_error(error, DAXC_ERROR, DAXC_ERROR_BUSY,
			    "process %" G_GINT64_FORMAT
			    " %s and was not done in time; try again, or end it",
			    other->pid, doing);
		return FALSE;
	}
	if (now >= waiting->said) {
		g_message("waiting for process %" G_GINT64_FORMAT ", which %s",
			  other->pid, doing);
		waiting->said = waiting->end;
	}
	g_usleep((gulong)MIN(LOOK_AGAIN_US, waiting->end - now));
	return TRUE;
}
