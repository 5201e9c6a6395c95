/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of provision share; no other part includes this. */
#pragma once

#include "adapters/config.h"
#include "adapters/kernel.h"
#include "adapters/ledger.h"
#include "adapters/scrub.h"
#include "core/layout.h"

#include <daxcolor/audit.h>
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
 * @run_dir: (nullable): what lasts until the next boot; NULL: nothing does
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
	char *run_dir;
	gboolean read_only;
};

/* What the kernel says of a color of a region. */
typedef struct {
	guint region;
	gint node;
	DaxcColorOwner color;
} DaxcOwnedColor;

/**
 * DaxcSnapshot: ledger and kernel read one after the other. Consistent only
 * inside a ledger transaction; good enough to look at outside of one.
 * @carvings: (element-type DaxcCarving): of this boot
 * @found: (element-type DaxcInstance): for each carving the instance that has
 *   its extents, or NULL
 * @unknown: (element-type DaxcInstance): those that no carving explains; seeds
 *   that hold nothing, or still all of their region, are not among them
 * @granules: (element-type DaxcLedgerGranule): by start; what a scrubber holds
 *   is DIRTY until it has been cleaned, as it is for everybody else
 * @reservations: (element-type DaxcReservation)
 * @owned_colors: (element-type DaxcOwnedColor): every color of every region whose colors
 * the kernel itself keeps apart, by region, then color
 */
typedef struct {
	GPtrArray *regions;
	GPtrArray *instances;
	GPtrArray *carvings;
	GPtrArray *found;
	GPtrArray *unknown;
	GArray *granules;
	GPtrArray *reservations;
	GArray *owned_colors;
} DaxcSnapshot;

DaxcSnapshot *daxc_snapshot_new(DaxcHost *host, GError **error);
void daxc_snapshot_free(DaxcSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcSnapshot, daxc_snapshot_free)

/**
 * daxc_snapshot_layout:
 * @tenant: (nullable): who asks, and may be known to the kernel only
 *
 * Reservations that were made with another geometry are left out.
 *
 * Returns: (transfer full): the planner's view. Fails when two tenants have one
 *   color or granule: then nothing must be planned.
 */
DaxcLayout *daxc_snapshot_layout(DaxcHost *host, const DaxcSnapshot *snapshot,
				 const char *tenant, GError **error);

/* Has the instance any of that memory? */
gboolean daxc_instance_touches(const DaxcInstance *instance, guint64 start, guint64 size);

/* Whether an instance has the carving's extents, in order; one in the making or
 * being taken back has its first ones only, but at least one. */
gboolean daxc_carving_matches(const DaxcCarving *carving, const DaxcInstance *instance);

/* Whether an instance that may be empty is one that somebody alive is giving memory to:
 * where the kernel zeroes what it gives, that takes a while. Not that of domain @uuid
 * (nullable). */
gboolean daxc_is_being_filled(const DaxcSnapshot *snapshot, const char *name,
			      const char *uuid);

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

/* daxc_host_plan() on a look that was taken already; @request was checked. Granules
 * that were @denied (nullable, element-type DaxcDenied) are not planned with. */
DaxcPlan *daxc_snapshot_plan(DaxcHost *host, const DaxcSnapshot *snapshot,
			     const DaxcRequest *request, const GArray *denied,
			     GError **error);

/* Reads what the kernel says of colors into @snapshot, which has regions. */
gboolean daxc_read_color_owners(DaxcHost *host, DaxcSnapshot *snapshot, GError **error);

/* Gives the colors that the kernel has given to somebody to their tenants, and those of
 * somebody unknown to nobody: memory that is still pinned keeps its color. @tenant
 * (nullable) is known. */
gboolean daxc_use_color_owners(DaxcLayout *layout, const DaxcSnapshot *snapshot,
			       const char *tenant, GError **error);

/* Bytes that nobody holds and nobody can have, because somebody has them pinned. */
guint64 daxc_pinned(const GPtrArray *regions);

/* Whether granule @i of @zone is free, and not known to hold zeros. */
gboolean daxc_snapshot_is_dirty(const DaxcSnapshot *snapshot, const DaxcZone *zone,
				guint32 i);

/* daxc_host_scrub() on a kernel that zeroes by itself. */
gboolean daxc_scrub_by_kernel(DaxcHost *host, DaxcScrub *scrub, GError **error);

/* In a transaction: where the kernel has yet to zero what the ledger calls clean (it was
 * loaded again), that is dirty. */
gboolean daxc_soil_by_kernel(DaxcHost *host, const DaxcSnapshot *snapshot,
			     GPtrArray *report, GError **error);

/* Sees to it that the kernel knows the geometry of @node, if it can be told any. */
gboolean daxc_tell_geometry(DaxcHost *host, guint region, gint node, GError **error);

/* What the kernel is asked for; points into @carving. */
DaxcKernelCarving daxc_kernel_carving(const DaxcCarving *carving);

/* Whether it is a guest's, and not a scrubber's. */
gboolean daxc_is_of_guest(const DaxcCarving *carving);

/* Returns: (transfer full): "guest web1 cell 0". */
char *daxc_carving_describe(const DaxcCarving *carving);

/* Returns: node of region @id among @regions, -1 when it is not among them. */
gint daxc_region_node(const GPtrArray *regions, guint id);

/* In a transaction, before it is committed: fails when two tenants would have one
 * color or granule from then on. */
gboolean daxc_check_apart(DaxcHost *host, GError **error);

/* Returns: (transfer none) (nullable): what the ledger says of exactly that granule. */
const DaxcLedgerGranule *daxc_snapshot_granule(const DaxcSnapshot *snapshot,
					       guint64 start, guint64 size);

/* Whether a dirty granule may go to @tenant as it is. */
gboolean daxc_may_keep(const DaxcHost *host, const DaxcLedgerGranule *granule,
		       const char *tenant);

/**
 * daxc_begin_recovered:
 * @report: (nullable): gets what was finished or undone; that is committed already
 *
 * Begins a transaction with nothing left over from an interrupted one: each record
 * whose maker is dead is undone.
 *
 * Returns: (transfer full): a look at everything in that transaction; on failure
 *   there is none.
 */
DaxcSnapshot *daxc_begin_recovered(DaxcHost *host, GPtrArray *report, GError **error);

/* Adds a sentence to a report; a NULL one is told to the log only. */
void daxc_report(GPtrArray *report, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* In a transaction: the kernel gives @instance (nullable) back, the ledger its
 * granules. */
gboolean daxc_take_back(DaxcHost *host, const DaxcCarving *carving,
			const DaxcInstance *instance, GError **error);

/* The same for an instance that was seen in an earlier transaction: it is looked
 * at again, for names are reused. */
gboolean daxc_take_back_seen(DaxcHost *host, const DaxcCarving *carving, const char *name,
			     GError **error);

/* Makes this process the maker of a record that is not ACTIVE. */
void daxc_sign(const DaxcHost *host, DaxcCarving *carving);

/* Is the process that signed it still the same, and alive? */
gboolean daxc_maker_lives(const DaxcCarving *carving);

/**
 * DaxcWaiting: a bounded wait for other processes of ours.
 * @end, @said: microseconds of the monotonic clock
 * @asked: id of the scrubbing that was asked to stop
 */
typedef struct {
	gint64 end;
	gint64 said;
	gint64 asked;
} DaxcWaiting;

void daxc_wait_begin(DaxcWaiting *waiting, const DaxcHost *host);

/* For memory that is still pinned by somebody who is just ending: only a moment. */
void daxc_wait_begin_short(DaxcWaiting *waiting, const DaxcHost *host);

/* Waits some milliseconds. Returns: FALSE when the time is over. */
gboolean daxc_wait_a_moment(const DaxcWaiting *waiting);

/* Outside of a transaction: waits a moment for @other, whose maker lives; then
 * everything is to be looked at again. A scrubber is asked to stop. Fails with
 * DAXC_ERROR_BUSY when the configured time is over. */
gboolean daxc_wait_for(DaxcWaiting *waiting, const DaxcCarving *other, GError **error);

/**
 * daxc_zero_ranges:
 * @ranges: (element-type DaxcExtent): start is an offset in the instance
 * @options: (nullable): rate and proceed; threads and CPUs are the host's business
 * @bad: (out): address of memory that failed, with DAXC_ERROR_MEMORY
 */
gboolean daxc_zero_ranges(DaxcHost *host, const DaxcCarving *carving,
			  const GArray *ranges, const DaxcScrubOptions *options,
			  guint64 *bad, GError **error);

/* In a transaction: turns the granule of @carving with @address bad. */
gboolean daxc_mark_bad(DaxcHost *host, const DaxcCarving *carving, guint64 address,
		       GError **error);

/* In a transaction: turns every granule bad that failing memory touches: what the
 * configuration lists and, with @log, what the kernel has logged. */
gboolean daxc_mark_failures(DaxcHost *host, const DaxcSnapshot *snapshot, gboolean log,
			    GPtrArray *report, GError **error);

/* Removes device nodes of ours from libvirt's memory directories that are no
 * running guest's: a reset leaves them behind, and minors are reused. */
void daxc_sweep_nodes(DaxcHost *host, const DaxcSnapshot *snapshot, GPtrArray *report);

/**
 * DaxcNode: a device node of ours in one of libvirt's memory directories.
 * @dir: the directory, open
 * @name: in it
 * @id, @guest: from the directory's name: libvirt's live id, and the guest's name
 *   or the beginning of a long one
 * @cell: of the guest
 */
typedef struct {
	int dir;
	const char *name;
	gint id;
	const char *guest;
	guint cell;
	guint major;
	guint minor;
} DaxcNode;

typedef void (*DaxcNodeVisitor)(const DaxcNode *node, gpointer data);

/* Calls @visit for every one. */
gboolean daxc_visit_nodes(DaxcNodeVisitor visit, gpointer data, GError **error);

/* Reads a memory directory's name, "7-guest", into @node, which points into it then. */
gboolean daxc_node_read_directory(DaxcNode *node, const char *directory);

/* Can the directory be that of a guest of that name? */
gboolean daxc_node_directory_fits(const DaxcNode *node, const char *name);

/* Gives the colors that are reserved to their tenants. */
gboolean daxc_use_reservations(const DaxcHost *host, DaxcLayout *layout,
			       const GPtrArray *reservations, GError **error);

/* Fails with DAXC_ERROR_REFUSED when colors were reserved in another geometry. */
gboolean daxc_check_reservations(const DaxcHost *host, const DaxcSnapshot *snapshot,
				 GError **error);

/* Reads what the host last noted of the ledger's serial number, 0 when nothing.
 * Returns: FALSE when the note cannot be read. */
gboolean daxc_run_read_serial(const DaxcHost *host, guint64 *serial);

/* Before the kernel is changed, in the transaction that changes it. */
gboolean daxc_run_write_serial(const DaxcHost *host, guint64 serial, GError **error);

/* Says that there is something to zero. */
void daxc_run_nudge_scrubber(const DaxcHost *host);

/* Fails when @uuid is not a guest's, but that of what is lent to the host. */
gboolean daxc_refuse_lent(const char *uuid, GError **error);

/* Takes back what is lent, when that is what keeps @request from being planned; @failure
 * is why it was not, and tells when the host does not give it back. Returns: whether to
 * plan anew. */
gboolean daxc_reclaim_for(DaxcHost *host, const DaxcRequest *request,
			  const GArray *denied, GError **failure);

/* Start of process @pid in clock ticks after boot, 0 when there is no such one. */
guint64 daxc_process_start(gint64 pid);

G_END_DECLS
