// SPDX-License-Identifier: GPL-2.0-or-later
/* To be preloaded: a wall clock that goes back by an hour each time it is read. The
 * monotonic clock, on which nobody sets the time, is left alone. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600

static time_t backwards(time_t now)
{
	static time_t hours;

	return now - ++hours * HOUR;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		now->tv_sec = backwards(now->tv_sec);
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec real;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &real);
	now->tv_sec = real.tv_sec;
	now->tv_usec = real.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *now)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	if (now)
		*now = real.tv_sec;
	return real.tv_sec;
}
