/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the audit share; no other part includes this. */
#pragma once

#include "provision/provision.h"

#include <daxcolor/audit.h>

G_BEGIN_DECLS

/**
 * DaxcLook: one look at everything, and what is concluded from it.
 * @audit: the result, being made
 * @carvings: (element-type DaxcCarving): of all boots
 * @found: (element-type DaxcAuditInstance): for each of @carvings the instance
 *   that it explains, or NULL
 * @granules: (element-type DaxcLedgerGranule)
 * @reservations: (element-type DaxcReservation)
 * @serial: of the ledger
 * @noted, @has_note: what this host noted of it before the kernel last changed
 * @processes: (element-type DaxcProcess): those that @audit has not yet taken
 * @by_name: instances by their name
 * @by_start: instances by the first byte that they have
 * @guests: what libvirt runs, by UUID
 * @holdings: a carving for each UUID, of this boot where it has one
 * @of_boot: number of carvings of this boot
 * @changed: somebody changed something while we looked
 */
typedef struct {
	DaxcHost *host;
	DaxcAudit *audit;
	GPtrArray *carvings;
	GPtrArray *found;
	GArray *granules;
	GPtrArray *reservations;
	guint64 serial;
	guint64 noted;
	gboolean has_note;
	GPtrArray *processes;
	GHashTable *by_name;
	GHashTable *by_start;
	GHashTable *guests;
	GHashTable *holdings;
	guint of_boot;
	gboolean changed;
} DaxcLook;

/**
 * daxc_look_breach:
 * @what, @why: (transfer full)
 */
void daxc_look_breach(DaxcLook *look, const char *code, char *what, char *why,
		      const char *remedy);

/* Whether what is in the ledger can be compared. */
gboolean daxc_look_has_ledger(const DaxcLook *look);

/* Returns: (transfer none) (nullable): what is explained by carving @index. */
DaxcAuditInstance *daxc_look_found(const DaxcLook *look, guint index);

gboolean daxc_look_is_of_boot(const DaxcLook *look, const DaxcCarving *carving);

/* Returns: (transfer none) (nullable): whose colors guest @uuid may use: by libvirt,
 * else by the ledger, else its own alone; NULL when neither could be asked. */
const char *daxc_look_tenant(const DaxcLook *look, const char *uuid);

/* Returns: (transfer none) (nullable): the cache domain in front of an instance. */
const DaxcCacheDomain *daxc_look_domain(const DaxcLook *look, gint node);

/* Whether @path (a device node in a memory directory of libvirt's) is for this
 * carving. */
gboolean daxc_look_node_fits(const DaxcLook *look, const char *path,
			     const DaxcCarving *carving);

/* Whether those who have what @carving explains are no guest's QEMU, and libvirt runs
 * no such guest: a program of its own that somebody carved for by hand. */
gboolean daxc_look_is_program(const DaxcLook *look, const DaxcCarving *carving,
			      const DaxcAuditInstance *row);

/* What each file judges; all need what the one before found out. */
gboolean daxc_look_files(DaxcLook *look, GError **error);
void daxc_look_explain(DaxcLook *look);
void daxc_look_instances(DaxcLook *look);
void daxc_look_colors(DaxcLook *look);
void daxc_look_processes(DaxcLook *look);
void daxc_look_ledger(DaxcLook *look);
void daxc_look_guests(DaxcLook *look);
gboolean daxc_look_nodes(DaxcLook *look, GError **error);

G_END_DECLS
