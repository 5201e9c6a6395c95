// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: text as a fleet description. What is accepted must be a fleet that guests
 * can be placed on; what is refused must name the file.
 */
#include <stdlib.h>
#include <string.h>

#include "colorsched/core/choice.h"
#include "colorsched/fleet-file.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

/* A small host, whatever is named: files are another fuzzer's matter. */
static DaxcConfig *load_host(const char *path, GError **error)
{
	static const char text[] = "[region 0]\nstart = 4GiB\nsize = 8GiB\nnode = 0\n"
				   "[region 1]\nstart = 16GiB\nsize = 3GiB\nnode = 0\n"
				   "[cache 0]\nsize = 2GiB\n";

	return daxc_config_parse("HOST", text, sizeof(text) - 1, TRUE, error);
}

static void place(SchedFleet *fleet)
{
	g_autoptr(DaxcRequest) request =
		daxc_request_new("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "a", "a");
	SchedWant want = {.request = request, .tenant = 1};
	g_auto(SchedPlacement) placement = {0};

	g_ptr_array_add(request->cells, daxc_cell_request_new(0, 5 * DAXC_GRANULE_MAX));
	if (!sched_choose(fleet, &want, &placement))
		abort();
	sched_hold(fleet, &placement, 1);
	sched_drop(fleet, &placement);
	if (fleet->held != 0 || fleet->idle != 0 || fleet->owned != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
	g_autofree char *text = g_malloc(size + 1);
	g_autoptr(GError) error = NULL;
	g_autoptr(SchedFleet) fleet = NULL;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	fleet = sched_fleet_parse("FILE", text, size, load_host, &error);
	if ((fleet == NULL) == (error == NULL))
		abort();
	if (error && !g_str_has_prefix(error->message, "FILE"))
		abort();
	if (!fleet)
		return 0;
	if (fleet->n_hosts == 0 ||
	    fleet->capacity != fleet->n_hosts * 11 * DAXC_GRANULE_MAX)
		abort();
	/* Looking at a million of hosts is slow, and no different. */
	if (fleet->n_hosts <= 1000)
		place(fleet);
	return 0;
}
