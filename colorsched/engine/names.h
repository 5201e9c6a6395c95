/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How things are called in the engine. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define SCHED_CLASS "CUSTOM_DAX_GRANULE"
#define SCHED_CLASS_TENANT SCHED_CLASS "_T_"
#define SCHED_CLASS_SPREAD "CUSTOM_DAX_SPREAD_"
#define SCHED_TRAIT_HOST "CUSTOM_DAX_HOST"
#define SCHED_TRAIT_NODE "CUSTOM_DAX_NODE_"
#define SCHED_TRAIT_REGION "CUSTOM_DAX_REGION_"
#define SCHED_TRAIT_GRANULE "CUSTOM_DAX_GRANULE_MIB_"
#define SCHED_TRAIT_SLICE "CUSTOM_DAX_SLICE_MIB_"
#define SCHED_TRAIT_COLOR "CUSTOM_CACHE_COLOR_"

/* Returns: (transfer full): UUID of the provider of a host (@zone and @color -1), of a
 * zone (@color -1) or of a color; of an aggregate. */
char *sched_provider_uuid(const char *host, gint zone, gint64 color);
char *sched_aggregate_uuid(const char *name);

/* Returns: (transfer full): class of a spread group, which is the tenant's alone. */
char *sched_spread_class(const char *tenant, const char *group);

/* Returns: FALSE when @trait is not @prefix and a number of at most @max. */
gboolean sched_trait_number(const char *trait, const char *prefix, guint64 max,
			    guint64 *number);

G_END_DECLS
