// SPDX-License-Identifier: LGPL-2.1-or-later
/* The plain data types of audit.h: freeing them. */
#include <daxcolor/audit.h>

void daxc_process_free(DaxcProcess *process)
{
	if (!process)
		return;
	g_free(process->instance);
	g_free(process->name);
	g_free(process->path);
	g_free(process->uuid);
	g_free(process);
}

void daxc_breach_free(DaxcBreach *breach)
{
	if (!breach)
		return;
	g_free(breach->what);
	g_free(breach->why);
	g_free(breach->remedy);
	g_free(breach);
}

void daxc_audit_free(DaxcAudit *audit)
{
	if (!audit)
		return;
	g_free(audit->host);
	g_free(audit->boot_id);
	g_free(audit->kernel);
	g_free(audit->time);
	g_free(audit->config);
	g_free(audit->ledger);
	g_free(audit->ledger_fault);
	g_clear_pointer(&audit->instances, g_ptr_array_unref);
	g_clear_pointer(&audit->regions, g_ptr_array_unref);
	g_clear_pointer(&audit->carvings, g_ptr_array_unref);
	g_clear_pointer(&audit->reservations, g_ptr_array_unref);
	g_strfreev(audit->keepers);
	g_clear_pointer(&audit->guests, g_ptr_array_unref);
	g_clear_pointer(&audit->breaches, g_ptr_array_unref);
	g_free(audit);
}
