/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host: the one place where plan, ledger and kernel meet. Programs of
 * daxcolor carve, release and look through a DaxcHost.
 *
 * Locks are the ledger's own transactions, so any number of processes may work
 * at once. A DaxcHost itself belongs to one thread.
 */
#pragma once

#include <daxcolor/geometry.h>
#include <daxcolor/plan.h>
#include <daxcolor/request.h>

G_BEGIN_DECLS

#define DAXC_DEFAULT_CONFIG "/etc/daxcolor/daxcolor.conf"
#define DAXC_DEFAULT_STATE_DIR "/var/lib/daxcolor"
/* Empty after a boot. A state directory of one's own is its own run directory. */
#define DAXC_DEFAULT_RUN_DIR "/run/daxcolor"

/* Device nodes of guests are named like this, then the cell's id. */
#define DAXC_NODE_PREFIX "daxcolor.cell"

/**
 * DaxcRegion: a dax region as the kernel shows it.
 * @id: the R of daxR.N
 * @start, @size: bytes, as the platform gave it, aligned to nothing of ours
 * @node: target NUMA node
 * @align: bytes, the region's smallest alignment
 * @available: bytes that no instance has, nor one of the states below but for
 *   @zeroing and @dirty, which are part of it
 * @accounted: the kernel counts what follows; mainline's does not
 * @zeroing: bytes that the kernel is writing zeros to
 * @dirty: bytes that the kernel zeroes when an instance gets them, or a scrub asks
 * @quarantined: bytes that nobody holds any more, but that somebody still has pinned
 * @bad: bytes that the kernel hands out no more, because memory there failed
 */
typedef struct {
	guint id;
	guint64 start;
	guint64 size;
	gint node;
	guint64 align;
	guint64 available;
	gboolean accounted;
	guint64 zeroing;
	guint64 dirty;
	guint64 quarantined;
	guint64 bad;
} DaxcRegion;

/**
 * DaxcInstance: a dax device as the kernel shows it.
 * @name: "daxR.N"
 * @extents: (element-type DaxcExtent): in order of page offset
 * @size: bytes of all extents
 * @align: bytes, mapping size
 * @driver: (nullable): who has it bound: "device_dax", "kmem", ...; "dax_color"
 *   when that kernel driver has made it and it has memory
 * @major, @minor: of its character device; 0, 0 while it cannot be mapped
 * @seed: the kernel made it with the region, and it cannot be deleted
 * @owner: (nullable): UUID of whoever the kernel keeps its colors for, in lower case;
 *   NULL when it keeps none, or for nobody by name
 * @claimant: (nullable): UUID of whose alone it is, in lower case; NULL when nobody has
 *   claimed it, or the kernel knows no claims
 * @claims: how often @claimant has claimed it
 * @shared: others may open it all the same
 */
typedef struct {
	char *name;
	guint region;
	GArray *extents;
	guint64 size;
	guint64 align;
	char *driver;
	guint major;
	guint minor;
	gboolean seed;
	char *owner;
	char *claimant;
	guint claims;
	gboolean shared;
} DaxcInstance;

void daxc_region_free(DaxcRegion *region);
void daxc_instance_free(DaxcInstance *instance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcRegion, daxc_region_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcInstance, daxc_instance_free)

/**
 * DaxcCarvingState:
 * @DAXC_CARVING_INTENT: recorded, being made; its maker may have died
 * @DAXC_CARVING_ACTIVE: the kernel has it and a guest may use it
 * @DAXC_CARVING_RELEASING: being taken back; its granules are not free yet
 * @DAXC_CARVING_SCRUBBING: free granules that a scrubber has taken for a moment,
 *   to zero them; no guest's and no tenant's
 */
typedef enum {
	DAXC_CARVING_INTENT,
	DAXC_CARVING_ACTIVE,
	DAXC_CARVING_RELEASING,
	DAXC_CARVING_SCRUBBING,
} DaxcCarvingState;

/**
 * DaxcGranuleState:
 * @DAXC_GRANULE_CLEAN: free and known to hold zeros
 * @DAXC_GRANULE_HELD: part of a carving
 * @DAXC_GRANULE_DIRTY: free, holds what its last user left
 * @DAXC_GRANULE_BAD: its memory failed; never used again
 *
 * A granule that the ledger knows nothing of is dirty.
 */
typedef enum {
	DAXC_GRANULE_CLEAN,
	DAXC_GRANULE_HELD,
	DAXC_GRANULE_DIRTY,
	DAXC_GRANULE_BAD,
} DaxcGranuleState;

/**
 * DaxcCarving: the instance behind one guest cell, as the ledger has it.
 * @id: the ledger's number
 * @instance: (nullable): "daxR.N", NULL until the kernel has made it
 * @plan: cell, region, node, size, align, granules, extents
 * @pid, @pid_start: maker of a record that is not ACTIVE (process id and its
 *   start in clock ticks after boot), to see whether it still lives
 * @boot_id: the boot in which it was made; the kernel forgets ranges at reboot
 * @zeroed: all of its memory held zeros when its guest got it, or bytes of its
 *   own tenant: what it leaves behind is nobody else's
 */
typedef struct {
	gint64 id;
	char *uuid;
	char *name;
	char *tenant;
	DaxcCarvingState state;
	char *instance;
	DaxcCellPlan *plan;
	gint64 pid;
	guint64 pid_start;
	char *boot_id;
	gboolean zeroed;
} DaxcCarving;

void daxc_carving_free(DaxcCarving *carving);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcCarving, daxc_carving_free)

const char *daxc_carving_state_name(DaxcCarvingState state);
const char *daxc_granule_state_name(DaxcGranuleState state);

/**
 * DaxcReservation: colors that are a tenant's, whether it holds memory or not.
 * @node: names the cache domain
 * @colors: (element-type guint32): ascending
 * @of, @granule: number of colors and bytes of a granule when it was made: with
 *   another geometry the same numbers would be other memory
 */
typedef struct {
	char *tenant;
	gint node;
	GArray *colors;
	guint32 of;
	guint64 granule;
} DaxcReservation;

void daxc_reservation_free(DaxcReservation *reservation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcReservation, daxc_reservation_free)

/**
 * DaxcColorUse: one color of one cache domain, and who has it.
 * @node: names the cache domain
 * @total: granules of this color in all regions of the domain
 * @held, @dirty, @bad, @foreign: granules; foreign ones are in instances that
 *   the ledger does not know, and a bad one that a guest still has is held, too
 * @free: granules that a carving could get now (clean or dirty)
 * @tenant: (nullable): who owns the color
 */
typedef struct {
	gint node;
	guint32 color;
	guint total;
	guint free;
	guint held;
	guint dirty;
	guint bad;
	guint foreign;
	char *tenant;
} DaxcColorUse;

void daxc_color_use_free(DaxcColorUse *use);

/**
 * DaxcGranuleUse: one granule of a region, for maps.
 * @tenant, @name, @instance: (nullable): who holds it
 * @foreign: an instance that the ledger does not know has it or touches it
 */
typedef struct {
	guint64 start;
	guint64 size;
	guint region;
	gint node;
	guint32 color;
	DaxcGranuleState state;
	gboolean foreign;
	const char *tenant;
	const char *name;
	const char *instance;
} DaxcGranuleUse;

/**
 * DaxcHostOptions:
 * @config: (nullable): configuration file; NULL: $DAXCOLOR_CONFIG or
 *   DAXC_DEFAULT_CONFIG, which need not exist
 * @state_dir: (nullable): NULL: $DAXCOLOR_STATE_DIR or DAXC_DEFAULT_STATE_DIR
 * @simulate: (nullable): a host description; NULL: $DAXCOLOR_SIMULATE or the
 *   real host. The kernel is then simulated and, unless a state directory is
 *   given too, ledger and kernel live in memory only
 * @read_only: nothing will be changed: the ledger need not be writable, nor
 *   exist
 * @distrust_ledger: for daxc_host_audit(): a ledger that cannot be used is no
 *   failure, but like an empty one; with @read_only
 */
typedef struct {
	const char *config;
	const char *state_dir;
	const char *simulate;
	gboolean read_only;
	gboolean distrust_ledger;
} DaxcHostOptions;

typedef struct DaxcHost DaxcHost;

DaxcHost *daxc_host_open(const DaxcHostOptions *options, GError **error);
void daxc_host_free(DaxcHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcHost, daxc_host_free)

/* Returns: (transfer none): "mainline", "sim", "dax_color". */
const char *daxc_host_backend(DaxcHost *host);

/* Returns: whether this is a described host and not the one we run on. */
gboolean daxc_host_is_simulated(DaxcHost *host);

/* Returns: (transfer none): sentences, NULL-terminated: what this backend cannot
 * guarantee. */
const char *const *daxc_host_limits(DaxcHost *host);

/**
 * DaxcGuarantee: what the kernel itself keeps, whoever does what in user space.
 * @DAXC_GUARANTEE_RANGES: no memory is in two instances, none is reached past an
 *   instance's own, and an instance in use can be changed and taken back safely
 * @DAXC_GUARANTEE_ZEROS: memory that an instance gets holds zeros
 * @DAXC_GUARANTEE_PINS: memory that is pinned (DMA) goes to nobody else
 * @DAXC_GUARANTEE_COLORS: a color that somebody has memory of goes to nobody else;
 *   in every region that has colors
 * @DAXC_GUARANTEE_CLAIMS: what is claimed for a guest is opened once, by its QEMU, and
 *   cannot be taken away before the claim is given back
 */
typedef enum {
	DAXC_GUARANTEE_RANGES = 1 << 0,
	DAXC_GUARANTEE_ZEROS = 1 << 1,
	DAXC_GUARANTEE_PINS = 1 << 2,
	DAXC_GUARANTEE_COLORS = 1 << 3,
	DAXC_GUARANTEE_CLAIMS = 1 << 4,
} DaxcGuarantee;

/* Returns: those in force now, or'ed. */
guint daxc_host_guarantees(DaxcHost *host);

/* Returns: (transfer none): "ranges", "zeros", "pins", "colors"; a sentence. */
const char *daxc_guarantee_name(DaxcGuarantee guarantee);
const char *daxc_guarantee_sentence(DaxcGuarantee guarantee);

/* Returns: whether the kernel itself keeps the colors of @region apart. */
gboolean daxc_host_enforces(DaxcHost *host, const DaxcRegion *region);

/* Returns: (transfer none): what was learned of the memory-side caches. */
const DaxcGeometry *daxc_host_geometry(DaxcHost *host);

/* Returns: (transfer full) (element-type DaxcRegion): in order of id. */
GPtrArray *daxc_host_regions(DaxcHost *host, GError **error);

/* Returns: (transfer full) (element-type DaxcInstance): all, in order of name. */
GPtrArray *daxc_host_instances(DaxcHost *host, GError **error);

/* Returns: (transfer full) (element-type DaxcInstance): those that no carving
 * explains, but for seeds that hold nothing or still all of their region. */
GPtrArray *daxc_host_foreign(DaxcHost *host, GError **error);

/* Returns: (transfer full) (element-type DaxcColorUse): by node, then color. */
GPtrArray *daxc_host_colors(DaxcHost *host, GError **error);

/**
 * daxc_host_map:
 * @granules: (out) (transfer full) (element-type DaxcGranuleUse): every whole
 *   granule of every region that has a cache domain, by address
 * @carvings: (out) (transfer full) (element-type DaxcCarving): keeps alive the
 *   strings that @granules point to
 */
gboolean daxc_host_map(DaxcHost *host, GArray **granules, GPtrArray **carvings,
		       GError **error);

/* Returns: (transfer full) (element-type DaxcCarving): by id. */
GPtrArray *daxc_host_carvings(DaxcHost *host, GError **error);

/**
 * daxc_host_plan:
 *
 * Returns: (transfer full): what daxc_host_carve() would do now. Fails with
 *   DAXC_ERROR_REFUSED when the host cannot grant it, and says what is free,
 *   what is needed and who could free it.
 */
DaxcPlan *daxc_host_plan(DaxcHost *host, const DaxcRequest *request, GError **error);

/**
 * daxc_host_carve:
 *
 * Makes, zeroes and enables the instances of a guest. What an earlier run of
 * the same domain left behind is released first. On any error all is undone.
 *
 * Memory that is known to hold zeros is taken first, and not zeroed again. A
 * scrubber that holds memory which is needed is asked to stop (SIGTERM), and memory
 * that fails while it is zeroed is bad from then on and replaced by other. Waiting
 * for other processes is bounded by the configuration, then DAXC_ERROR_BUSY.
 *
 * Returns: (transfer full) (element-type DaxcCarving): active, in order of cell.
 */
GPtrArray *daxc_host_carve(DaxcHost *host, const DaxcRequest *request, GError **error);

/**
 * daxc_host_release:
 *
 * Takes back all that the domain holds, which is dirty then: zeroing it is left
 * to a scrubber. A domain that holds nothing is no error. Fails with DAXC_ERROR_BUSY, and
 * leaves the carving RELEASING for the next caller, while a process still has an instance
 * open or mapped.
 */
gboolean daxc_host_release(DaxcHost *host, const char *uuid, GError **error);

/**
 * daxc_host_find:
 *
 * Returns: (transfer full) (element-type DaxcCarving): what the domain holds,
 *   by cell; empty when nothing.
 */
GPtrArray *daxc_host_find(DaxcHost *host, const char *uuid, GError **error);

/**
 * daxc_host_carving_instance:
 *
 * Returns: (transfer full): the instance of an active carving, after a look at
 *   the kernel whether it is enabled, has exactly the carving's extents, and, where
 *   the kernel knows claims, is claimed for the domain: a name alone may have gone to
 *   another. Fails with DAXC_ERROR_KERNEL.
 */
DaxcInstance *daxc_host_carving_instance(DaxcHost *host, const DaxcCarving *carving,
					 GError **error);

/**
 * daxc_qemu_memory_dir:
 *
 * Returns: (transfer full): the directory in which libvirt makes a memory
 *   directory for each guest, as qemu.conf has it.
 */
char *daxc_qemu_memory_dir(GError **error);

/**
 * daxc_host_recover:
 * @booted: the host has just booted and libvirt has started nothing yet: also look
 *   whether colors that tenants have reserved are still what they were, and have
 *   all memory zeroed
 * @report: (out) (optional) (transfer full) (element-type utf8): a sentence
 *   for each thing that was finished or undone
 *
 * Brings ledger and kernel together: what was interrupted is undone, instances
 * that got other names are followed, memory that the kernel has logged or the
 * configuration lists as failed turns bad, device nodes that a reset left behind
 * are removed. carve and release begin with all of it that concerns them. What the
 * kernel has and nobody explains is left alone and keeps its colors from everybody.
 */
gboolean daxc_host_recover(DaxcHost *host, gboolean booted, GPtrArray **report,
			   GError **error);

/**
 * DaxcScrub: how to scrub, and what came of it.
 * @rate: bytes a second at most; 0: what the configuration says
 * @progress: (nullable): called some ten times a second with bytes done and bytes
 *   that were dirty in all; FALSE stops us after some milliseconds
 * @data: for @progress
 * @cleaned: (out): bytes
 * @bad: (out): granules whose memory failed
 * @stopped: (out): @progress said so
 */
typedef struct {
	guint64 rate;
	gboolean (*progress)(guint64 done, guint64 total, gpointer data);
	gpointer data;
	guint64 cleaned;
	guint bad;
	gboolean stopped;
} DaxcScrub;

/**
 * daxc_host_scrub:
 *
 * Zeroes free granules that are dirty until there are none. It holds a few of them
 * at a time, which no guest can get meanwhile: a process that calls this must take
 * SIGTERM as the wish to stop, and tell it by @scrub's progress. Whatever ends it,
 * what was cleaned stays clean.
 */
gboolean daxc_host_scrub(DaxcHost *host, DaxcScrub *scrub, GError **error);

/**
 * daxc_host_reserve:
 * @count: how many colors, of our choice, when @colors is NULL; 0: none any more
 * @colors: (nullable) (element-type guint32): these, ascending
 *
 * Gives a tenant colors of a node whether it holds memory or not, until it is
 * said otherwise; they outlive the boot. What it had reserved on that node before
 * is replaced. Fails with DAXC_ERROR_REFUSED when another tenant holds or has
 * reserved them, DAXC_ERROR_INVALID when there are no such colors.
 */
gboolean daxc_host_reserve(DaxcHost *host, const char *tenant, gint node, guint count,
			   const GArray *colors, GError **error);

/* Returns: (transfer full) (element-type DaxcReservation): by node. */
GPtrArray *daxc_host_reservations(DaxcHost *host, GError **error);

G_END_DECLS
