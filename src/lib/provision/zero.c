// SPDX-License-Identifier: LGPL-2.1-or-later
/* Zeroing an instance of ours, as configured, by threads near its memory. */
#include "provision/provision.h"

#include <daxcolor/error.h>

#include "adapters/platform.h"

/* Returns: (transfer full) (nullable): NULL on a described host, which has none. */
static GArray *cpus_near(const DaxcHost *host, gint node)
{
	return host->described ? NULL : daxc_platform_cpus("", node);
}

static gboolean zero_range(DaxcHost *host, const DaxcCarving *carving,
			   const DaxcExtent *range, const DaxcScrubOptions *options,
			   guint64 *bad, GError **error)
{
	guint64 offset = 0;

	if (daxc_kernel_zero(host->kernel, carving->instance, range->start, range->size,
			     options, &offset, error))
		return TRUE;
	*bad = daxc_extents_address(carving->plan->extents, offset);
	return FALSE;
}

gboolean daxc_zero_ranges(DaxcHost *host, const DaxcCarving *carving,
			  const GArray *ranges, const DaxcScrubOptions *options,
			  guint64 *bad, GError **error)
{
	g_autoptr(GArray) cpus = cpus_near(host, carving->plan->node);
	DaxcScrubOptions all = {
		.threads = host->config->zero_threads,
		.cpus = cpus && cpus->len > 0 ? cpus : NULL,
		.rate = options ? options->rate : 0,
		.proceed = options ? options->proceed : NULL,
		.data = options ? options->data : NULL,
	};

	for (guint i = 0; i < ranges->len; i++) {
		if (!zero_range(host, carving, &g_array_index(ranges, DaxcExtent, i),
				&all, bad, error))
			return FALSE;
	}
	return TRUE;
}
