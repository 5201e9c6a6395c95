/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of provision share; no other part includes this. */
#pragma once

#include "adapters/config.h"
#include "adapters/kernel.h"
#include "adapters/ledger.h"
#include "core/layout.h"

#include <daxcolor/host.h>

G_BEGIN_DECLS

/**
 * DaxcHost:
 * @config: daxcolor.conf
 * @described: (nullable): the host description, when simulated
 * @boot_id: carvings of another boot are forgotten by the kernel
 * @config_path: which file @config is from, or would be
 * @ledger_path: (nullable): NULL when the ledger is in memory
 * @ledger_fault: (nullable): why the ledger at @ledger_path is not used
 * @dev: (nullable): directory of device nodes; NULL: there are none
 */
struct DaxcHost {
	DaxcConfig *config;
	DaxcConfig *described;
	DaxcKernel *kernel;
	DaxcLedger *ledger;
	DaxcGeometry *geometry;
	char *boot_id;
	char *config_path;
	char *ledger_path;
	char *ledger_fault;
	char *dev;
	gboolean read_only;
};

/**
 * DaxcSnapshot: ledger and kernel read one after the other. Consistent only
 * inside a ledger transaction; good enough to look at outside of one.
 * @carvings: (element-type DaxcCarving): of this boot
 * @found: (element-type DaxcInstance): for each carving the instance that has
 *   its extents, or NULL
 * @unknown: (element-type DaxcInstance): those that no carving explains; seeds
 *   that hold nothing, or still all of their region, are not among them
 * @granules: (element-type DaxcLedgerGranule)
 */
typedef struct {
	GPtrArray *regions;
	GPtrArray *instances;
	GPtrArray *carvings;
	GPtrArray *found;
	GPtrArray *unknown;
	GArray *granules;
} DaxcSnapshot;

DaxcSnapshot *daxc_snapshot_new(DaxcHost *host, GError **error);
void daxc_snapshot_free(DaxcSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcSnapshot, daxc_snapshot_free)

/**
 * daxc_snapshot_layout:
 *
 * Returns: (transfer full): the planner's view. Fails when two tenants have one
 *   color or granule: then nothing must be planned.
 */
DaxcLayout *daxc_snapshot_layout(DaxcHost *host, const DaxcSnapshot *snapshot,
				 GError **error);

/* Whether an instance has the carving's extents, in order; one in the making or
 * being taken back has its first ones only, but at least one. */
gboolean daxc_carving_matches(const DaxcCarving *carving, const DaxcInstance *instance);

/* A seed that holds nothing, or still all of its region, and that nobody uses. */
gboolean daxc_is_idle_seed(const GPtrArray *regions, const DaxcInstance *instance);

/* Returns: (transfer none) (nullable): @option, else the environment's @variable;
 * an empty one counts as unset. */
const char *daxc_option(const char *option, const char *variable);

/* Returns: (transfer full): configuration from the file of that option, of
 * $DAXCOLOR_CONFIG, or the default, which alone need not exist. */
DaxcConfig *daxc_load_config(const char *option, GError **error);

/* Takes out what an earlier boot made: the kernel has forgotten it, and a
 * read-only ledger could not be told yet. */
void daxc_carvings_of_boot(GPtrArray *carvings, const char *boot_id);

/* daxc_host_plan() on a look that was taken already; @request was checked. */
DaxcPlan *daxc_snapshot_plan(DaxcHost *host, const DaxcSnapshot *snapshot,
			     const DaxcRequest *request, GError **error);

/* Start of process @pid in clock ticks after boot, 0 when there is no such one. */
guint64 daxc_process_start(gint64 pid);

G_END_DECLS
