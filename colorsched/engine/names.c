// SPDX-License-Identifier: GPL-2.0-or-later
/* Names that go into the engine, and come out of it again. */
#include "names.h"

#include <string.h>

#include <daxcolor/request.h>
#include <daxcolor/size.h>

#include "core/owner.h"
#include "placement.h"

/* A blank is in no host's name and in no tenant's, so that nothing meets. */

char *sched_provider_uuid(const char *host, gint zone, gint64 color)
{
	g_autofree char *name =
		g_strdup_printf("provider %s %d %" G_GINT64_FORMAT, host, zone, color);

	return daxc_owner_uuid(name);
}

char *sched_aggregate_uuid(const char *name)
{
	g_autofree char *whole = g_strconcat("aggregate ", name, NULL);

	return daxc_owner_uuid(whole);
}

char *sched_spread_class(const char *tenant, const char *group)
{
	g_autofree char *name = g_strdup_printf("spread %s %s", tenant, group);
	g_autofree char *uuid = daxc_owner_uuid(name);
	g_autofree char *upper = g_ascii_strup(uuid, -1);

	return g_strconcat(SCHED_CLASS_SPREAD, g_strdelimit(upper, "-", '_'), NULL);
}

gboolean sched_trait_number(const char *trait, const char *prefix, guint64 max,
			    guint64 *number)
{
	return g_str_has_prefix(trait, prefix) &&
	       daxc_uint_parse(trait + strlen(prefix), "number", max, number, NULL);
}

/* Classes have A-Z 0-9 _ only. Lower case, which is usual, becomes upper case; all that
 * is neither that nor a digit is written as _ and two hexadecimal digits. */
char *sched_engine_class(const char *tenant)
{
	GString *class = g_string_new(SCHED_CLASS_TENANT);

	for (const char *c = tenant; *c; c++) {
		if (g_ascii_islower(*c) || g_ascii_isdigit(*c))
			g_string_append_c(class, g_ascii_toupper(*c));
		else
			g_string_append_printf(class, "_%02X", (guint)(guchar)*c);
	}
	return g_string_free(class, FALSE);
}

static gboolean append_escape(GString *tenant, const char *digits)
{
	gint high = g_ascii_xdigit_value(digits[0]);
	gint low = high < 0 ? -1 : g_ascii_xdigit_value(digits[1]);

	if (low < 0)
		return FALSE;
	g_string_append_c(tenant, (char)(high * 16 + low));
	return TRUE;
}

char *sched_engine_tenant(const char *class)
{
	g_autoptr(GString) tenant = g_string_new(NULL);
	g_autofree char *again = NULL;

	if (!g_str_has_prefix(class, SCHED_CLASS_TENANT))
		return NULL;
	for (const char *c = class + strlen(SCHED_CLASS_TENANT); *c; c++) {
		if (*c != '_') {
			g_string_append_c(tenant, g_ascii_tolower(*c));
			continue;
		}
		if (!append_escape(tenant, c + 1))
			return NULL;
		c += 2;
	}
	/* One class for each tenant: what would be written otherwise is nobody's. */
	again = sched_engine_class(tenant->str);
	if (strcmp(again, class) != 0 || !daxc_tenant_check(tenant->str, NULL))
		return NULL;
	return g_string_free(g_steal_pointer(&tenant), FALSE);
}
