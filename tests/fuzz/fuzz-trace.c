// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: text as a trace. Guests must be as trace.h promises, mistakes must name file
 * and line; and a simulation must come to its end with what was read.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <daxcolor/geometry.h>

#include "colorsched/fleet-file.h"
#include "colorsched/sim/simulate.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static const char fleet_text[] = "[model m]\nhost = x\n[hosts h]\nmodel = m\ncount = 3\n";

static DaxcConfig *load_host(const char *path, GError **error)
{
	static const char text[] = "[region 0]\nstart = 4GiB\nsize = 7GiB\nnode = 0\n"
				   "[region 1]\nstart = 16GiB\nsize = 8GiB\nnode = 1\n"
				   "[cache 0]\nsize = 2GiB\n[cache 1]\nsize = 3GiB\n";

	return daxc_config_parse("HOST", text, sizeof(text) - 1, TRUE, error);
}

static SchedTrace *open_text(const guint8 *data, size_t size)
{
	FILE *stream = fmemopen((void *)data, size, "r");

	if (!stream)
		abort();
	return sched_trace_csv(stream, "FILE");
}

static void check_guest(const SchedGuest *guest, double last)
{
	if (!isfinite(guest->start) || guest->start < last || guest->end < guest->start)
		abort();
	if (guest->size == 0 || guest->size % DAXC_GRANULE_MIN != 0)
		abort();
	if (!guest->tenant || *guest->tenant == '\0' || (guest->group && !*guest->group))
		abort();
	if (guest->colors > DAXC_COLORS_MAX)
		abort();
}

static gboolean read_all(const guint8 *data, size_t size)
{
	g_autoptr(SchedTrace) trace = open_text(data, size);
	g_autoptr(GError) error = NULL;
	SchedTraceStatus status;
	double last = -INFINITY;
	SchedGuest guest;

	while ((status = sched_trace_next(trace, &guest, &error)) == SCHED_TRACE_GUEST) {
		check_guest(&guest, last);
		last = guest.start;
	}
	if ((status == SCHED_TRACE_ERROR) != (error != NULL))
		abort();
	if (error && !g_str_has_prefix(error->message, "FILE: line "))
		abort();
	return error == NULL;
}

static void check_report(const SchedReport *report)
{
	for (guint i = 0; i < report->n; i++) {
		const SchedResult *result = &report->result[i];

		if (result->admitted > report->guests ||
		    !(result->memory >= 0 && result->memory <= 1 + 1e-9) ||
		    !(result->conflict.mean >= 0 && result->conflict.mean <= 1))
			abort();
		if (i >= 2 && result->conflict.most > 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	static const SchedPolicy *const policies[] = {
		&sched_policy_first_fit, &sched_policy_random, &sched_policy_exclusive,
		&sched_policy_pooled};
	g_autoptr(SchedFleet) fleet = NULL;
	g_autoptr(SchedTrace) trace = NULL;
	g_autoptr(SchedReport) report = NULL;
	gboolean good;

	if (size == 0)
		return 0;
	good = read_all(data, size);
	fleet = sched_fleet_parse("FLEET", fleet_text, strlen(fleet_text), load_host,
				  NULL);
	if (!fleet)
		abort();
	trace = open_text(data, size);
	report = sched_simulate(fleet, trace, policies, G_N_ELEMENTS(policies), 1, NULL,
				NULL);
	if (good != (report != NULL))
		abort();
	if (report)
		check_report(report);
	return 0;
}
