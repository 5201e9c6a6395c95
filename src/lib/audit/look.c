// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the parts of the audit ask of a look, and how they say what they found. */
#include "audit/look.h"

#include <string.h>

/* A guest that is between two states may look like these. */
static const char *const passing[] = {
	"carving-without-guest",   "guest-without-carving",
	"guest-not-on-its-memory", "node-stray",
	"tenant-differs",	   NULL,
};

void daxc_look_breach(DaxcLook *look, const char *code, char *what, char *why,
		      const char *remedy)
{
	DaxcBreach *breach = g_new0(DaxcBreach, 1);

	breach->code = code;
	breach->what = what;
	breach->why = why;
	breach->remedy = g_strdup(remedy);
	breach->passing = g_strv_contains(passing, code);
	g_ptr_array_add(look->audit->breaches, breach);
}

gboolean daxc_look_has_ledger(const DaxcLook *look)
{
	return look->audit->ledger_fault == NULL;
}

DaxcAuditInstance *daxc_look_found(const DaxcLook *look, guint index)
{
	return g_ptr_array_index(look->found, index);
}

gboolean daxc_look_is_of_boot(const DaxcLook *look, const DaxcCarving *carving)
{
	return strcmp(carving->boot_id, look->audit->boot_id) == 0;
}

const char *daxc_look_tenant(const DaxcLook *look, const char *uuid)
{
	const DaxcGuest *guest = g_hash_table_lookup(look->guests, uuid);
	const DaxcCarving *carving = g_hash_table_lookup(look->holdings, uuid);

	if (guest && guest->tenant)
		return guest->tenant;
	if (carving)
		return carving->tenant;
	return daxc_look_has_ledger(look) ? uuid : NULL;
}

const DaxcCacheDomain *daxc_look_domain(const DaxcLook *look, gint node)
{
	return daxc_geometry_for_node(look->host->geometry, node);
}
