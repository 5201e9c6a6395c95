// SPDX-License-Identifier: LGPL-2.1-or-later
/* The audit of what libvirt runs: whether ledger and kernel know of it. */
#include "audit/look.h"

#include <string.h>

#include <daxcolor/domain-xml.h>
#include <daxcolor/lend.h>

void daxc_guest_free(DaxcGuest *guest)
{
	if (!guest)
		return;
	g_free(guest->uuid);
	g_free(guest->name);
	g_free(guest->tenant);
	g_free(guest->fault);
	g_free(guest);
}

DaxcGuest *daxc_guest_read(const char *xml, GError **error)
{
	g_autoptr(DaxcRequest) identity = daxc_domain_identify(xml, -1, error);
	g_autoptr(DaxcRequest) request = NULL;
	g_autoptr(GError) fault = NULL;
	DaxcGuest *guest;

	if (!identity)
		return NULL;
	guest = g_new0(DaxcGuest, 1);
	guest->uuid = g_strdup(identity->uuid);
	guest->name = g_strdup(identity->name);
	guest->id = identity->live_id;
	if (!daxc_domain_read(xml, -1, &request, &fault)) {
		guest->fault = g_strdup(fault->message);
	} else if (request) {
		guest->tenant = g_strdup(request->tenant);
		guest->cells = request->cells->len;
	}
	return guest;
}

/* ---- carvings that libvirt should know ---- */

static void judge_tenant(DaxcLook *look, const DaxcCarving *carving,
			 const DaxcGuest *guest)
{
	if (guest->fault || g_strcmp0(guest->tenant, carving->tenant) == 0)
		return;
	daxc_look_breach(
		look, "tenant-differs", daxc_carving_describe(carving),
		guest->tenant
			? g_strdup_printf("the ledger has it as tenant %s, and libvirt's "
					  "live metadata as tenant %s: it is on the "
					  "colors of one and called the other's",
					  carving->tenant, guest->tenant)
			: g_strdup_printf(
				  "the ledger has it as tenant %s, and libvirt's "
				  "live metadata has nothing of daxcolor any more",
				  carving->tenant),
		"find out which of them was edited, set it right, and restart the guest "
		"when it was its metadata");
}

static void judge_carving(DaxcLook *look, const DaxcCarving *carving,
			  const DaxcAuditInstance *row)
{
	const DaxcGuest *guest = g_hash_table_lookup(look->guests, carving->uuid);

	if (carving->state != DAXC_CARVING_ACTIVE || daxc_carving_is_lent(carving))
		return;
	if (guest) {
		judge_tenant(look, carving, guest);
		return;
	}
	if (row && daxc_look_is_program(look, carving, row))
		return;
	daxc_look_breach(
		look, "carving-without-guest", daxc_carving_describe(carving),
		g_strdup_printf(
			"libvirt runs no guest %s, and %s", carving->uuid,
			row && row->processes->len
				? "a QEMU that it has lost has its memory"
				: "nobody has its memory open: its colors are kept "
				  "from others for nothing"),
		"end what has it, if anything does, and `daxcolor release` it");
}

/* ---- guests that ledger and kernel should know ---- */

static guint count_carvings(const DaxcLook *look, const DaxcGuest *guest)
{
	guint n = 0;

	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		n += daxc_look_is_of_boot(look, carving) &&
		     strcmp(carving->uuid, guest->uuid) == 0;
	}
	return n;
}

static gboolean has_process_of(const DaxcAuditInstance *row, const char *uuid)
{
	for (guint i = 0; i < row->processes->len; i++) {
		const DaxcProcess *process = g_ptr_array_index(row->processes, i);

		if (process->mapped && g_strcmp0(process->uuid, uuid) == 0)
			return TRUE;
	}
	return FALSE;
}

static void judge_not_mapped(DaxcLook *look, const DaxcGuest *guest, const char *instance)
{
	daxc_look_breach(
		look, "guest-not-on-its-memory", g_strdup_printf("guest %s", guest->name),
		g_strdup_printf("it runs, and its QEMU has not mapped %s: its memory is "
				"somewhere else, on anybody's colors",
				instance),
		"stop it and start it again; `daxcolor doctor` finds what keeps guests "
		"from their memory");
}

static void judge_mappings(DaxcLook *look, const DaxcGuest *guest)
{
	gboolean any = FALSE;

	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);
		const DaxcAuditInstance *row = daxc_look_found(look, i);

		if (!row || strcmp(carving->uuid, guest->uuid) != 0 ||
		    has_process_of(row, guest->uuid))
			continue;
		judge_not_mapped(look, guest, row->instance->name);
		return;
	}
	if (daxc_look_has_ledger(look))
		return;
	for (guint i = 0; i < look->audit->instances->len && !any; i++)
		any = has_process_of(g_ptr_array_index(look->audit->instances, i),
				     guest->uuid);
	if (!any)
		judge_not_mapped(look, guest, "any instance");
}

static void judge_guest(DaxcLook *look, const DaxcGuest *guest)
{
	guint carvings = count_carvings(look, guest);

	if (guest->fault) {
		daxc_look_breach(look, "guest-metadata-invalid",
				 g_strdup_printf("guest %s", guest->name),
				 g_strdup_printf("its live definition cannot be read, so "
						 "whose it is cannot be told: %s",
						 guest->fault),
				 "set its metadata right (`virsh metadata`)");
		return;
	}
	if (!guest->tenant)
		return;
	if (daxc_look_has_ledger(look) && carvings != guest->cells) {
		daxc_look_breach(
			look, "guest-without-carving",
			g_strdup_printf("guest %s", guest->name),
			g_strdup_printf("it runs with daxcolor's metadata and %u cell%s, "
					"and the ledger has %u carving%s: its memory is "
					"on anybody's colors, or may be given away",
					guest->cells, guest->cells == 1 ? "" : "s",
					carvings, carvings == 1 ? "" : "s"),
			"stop it and start it again; `daxcolor doctor` finds what keeps "
			"guests from their memory");
		return;
	}
	if (guest->settled)
		judge_mappings(look, guest);
}

void daxc_look_guests(DaxcLook *look)
{
	if (!look->audit->asked)
		return;
	for (guint i = 0; i < look->carvings->len; i++) {
		const DaxcCarving *carving = g_ptr_array_index(look->carvings, i);

		if (daxc_look_is_of_boot(look, carving))
			judge_carving(look, carving, daxc_look_found(look, i));
	}
	for (guint i = 0; i < look->audit->guests->len; i++)
		judge_guest(look, g_ptr_array_index(look->audit->guests, i));
}
