/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel, as far as we need it: regions and instances of device-dax.
 *
 * The functions below are the only way to it, whichever backend is behind.
 * They hold the rules that the kernel does not (mainline accepts misaligned
 * starts, mappings of a bound device and, on 6.12, lengths that it then
 * ignores), read back every change, and turn errnos into sentences.
 */
#pragma once

#include <daxcolor/audit.h>
#include <daxcolor/host.h>

#include "adapters/scrub.h"

G_BEGIN_DECLS

typedef struct DaxcKernel DaxcKernel;

/* A UUID as text. */
#define DAXC_OWNER_SIZE 37

/**
 * DaxcColorOwner: one color of a region, as a kernel with DAXC_GUARANTEE_COLORS has it.
 * @free: whole granules that nobody has
 * @owner: whose it is, "" when it is nobody's
 */
typedef struct {
	guint32 color;
	guint64 free;
	char owner[DAXC_OWNER_SIZE];
} DaxcColorOwner;

/**
 * DaxcKernelOps: what a backend does. All take a name that exists ("daxR.N").
 * @name: "mainline", "sim", "dax_color"
 * @limits: (nullable) sentences, NULL-terminated: what this backend cannot guarantee
 * @regions: (element-type DaxcRegion), any order
 * @instances: (element-type DaxcInstance), any order
 * @instance: one of them; DAXC_ERROR_NOT_FOUND when there is none of that name
 * @guarantees: DaxcGuarantee or'ed: what the kernel keeps by itself; COLORS when it
 *   can be told a geometry
 * @driver: what DaxcInstance.driver is of an instance that can be mapped
 * @create: makes an instance of size 0 with no driver; its name in @name
 * @set_align: instance has size 0 and no driver
 * @set_owner: (nullable): whose colors its memory is, read back; instance has size 0.
 *   @owner is a UUID. NULL: the kernel knows no owners
 * @add_extent: appends one extent; refuses (EBUSY) while a driver is bound, even
 *   where the kernel would not
 * @clear: frees all extents (size 0)
 * @claim: (nullable): all of @names (NULL-terminated), which have memory, are @uuid's
 *   alone from now on, or none is. NULL: the kernel knows no claims
 * @unclaim: (nullable): gives back @count claims of @uuid
 * @enable: (nullable): binds the driver. NULL: an instance that has memory has it
 * @disable: (nullable): unbinds; NULL with @enable
 * @destroy: deletes an instance of size 0 that is no seed
 * @zero: (nullable): writes zeros over [offset, offset + size) of an enabled instance
 *   and reads them back, as daxc_scrub_fd() does. NULL with DAXC_GUARANTEE_ZEROS
 * @scrub: (nullable): begins zeroing what is dirty in a region; with
 *   DAXC_GUARANTEE_ZEROS only
 * @geometry: (nullable): how the kernel colors a region: kind, granule, base and colors
 *   of @geometry, colors 0 when it does not; node is left
 * @set_geometry: (nullable): NULL @geometry: not at all
 * @color_owners: (nullable) (element-type DaxcColorOwner): what the kernel says of a
 * region's colors, one for each, in order; with a geometry only
 * @holders: (element-type utf8): processes, but for this one, that have the
 *   instance open or mapped: "qemu-system-x86 (1234)"; an error when one of them
 *   could not be looked into
 * @is_elsewhere: (nullable): whether another kernel driver has an instance of that name
 *   that has memory
 * @processes: (element-type DaxcProcess): the same for all instances at once, and
 *   for devices that are none any more; takes what @instances gave
 *
 * A backend does exactly one step a call and does not verify: kernel.c does.
 */
typedef struct {
	const char *name;
	const char *const *limits;
	guint guarantees;
	const char *driver;
	void (*free)(DaxcKernel *kernel);
	GPtrArray *(*regions)(DaxcKernel *kernel, GError **error);
	GPtrArray *(*instances)(DaxcKernel *kernel, GError **error);
	DaxcInstance *(*instance)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*create)(DaxcKernel *kernel, guint region, char **name, GError **error);
	gboolean (*set_align)(DaxcKernel *kernel, const char *name, guint64 align,
			      GError **error);
	gboolean (*set_owner)(DaxcKernel *kernel, const char *name, const char *owner,
			      GError **error);
	gboolean (*add_extent)(DaxcKernel *kernel, const char *name,
			       const DaxcExtent *extent, GError **error);
	gboolean (*claim)(DaxcKernel *kernel, const char *const *names, const char *uuid,
			  gboolean shared, GError **error);
	gboolean (*unclaim)(DaxcKernel *kernel, const char *name, const char *uuid,
			    guint count, GError **error);
	gboolean (*clear)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*enable)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*disable)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*destroy)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*zero)(DaxcKernel *kernel, const char *name, guint64 offset,
			 guint64 size, const DaxcScrubOptions *options, guint64 *bad,
			 GError **error);
	gboolean (*scrub)(DaxcKernel *kernel, guint region, GError **error);
	gboolean (*geometry)(DaxcKernel *kernel, guint region, DaxcCacheDomain *geometry,
			     GError **error);
	gboolean (*set_geometry)(DaxcKernel *kernel, guint region,
				 const DaxcCacheDomain *geometry, GError **error);
	GArray *(*color_owners)(DaxcKernel *kernel, guint region, GError **error);
	GPtrArray *(*holders)(DaxcKernel *kernel, const char *name, GError **error);
	gboolean (*is_elsewhere)(DaxcKernel *kernel, const char *name);
	GPtrArray *(*processes)(DaxcKernel *kernel, const GPtrArray *instances,
				GError **error);
} DaxcKernelOps;

/* A backend's struct begins with this one. */
struct DaxcKernel {
	const DaxcKernelOps *ops;
};

/**
 * daxc_kernel_mainline_new:
 *
 * Device-dax of the running kernel, through libdaxctl. Fails with
 * DAXC_ERROR_UNSUPPORTED when the host has no dax bus; the message says which
 * modules to load.
 */
DaxcKernel *daxc_kernel_mainline_new(GError **error);

/**
 * daxc_kernel_dax_color_new:
 *
 * Our own driver, through the class dax (driver/ABI.md). Fails with
 * DAXC_ERROR_UNSUPPORTED when it has no region; the message says what to do.
 */
DaxcKernel *daxc_kernel_dax_color_new(GError **error);

/* The same with every path below @root, for tests. */
DaxcKernel *daxc_kernel_dax_color_new_in(const char *root, GError **error);

/**
 * daxc_kernel_sim_new:
 * @regions: (element-type DaxcRegion): copied
 * @file: (nullable): where state lives between processes; NULL: in memory. It is
 *   made by the first change, and read anew by every call: callers in several
 *   processes hold a lock of their own
 *
 * A kernel without a kernel, with mainline's manners: seeds that are there from
 * the start, empty, and cannot be deleted, ids reused lowest first, ENOMEM for
 * overlap, EBUSY while bound, misaligned starts accepted. Of its memory only what is
 * not zero takes room: in @file with "-memory" behind its name, or in memory.
 *
 * Fails with DAXC_ERROR_INVALID when @file is damaged or belongs to a host with
 * other regions.
 */
DaxcKernel *daxc_kernel_sim_new(const GPtrArray *regions, const char *file,
				GError **error);

/* In place of an errno: the process is killed before the step. */
#define DAXC_SIM_DIE G_MAXINT

/**
 * daxc_kernel_sim_fail:
 * @after: number of changing steps that still succeed, from now on
 * @code: errno of the step after those; 0: it does nothing and reports success,
 *   as 6.12 does with some mappings. One step fails, then all is well again
 *
 * For tests of every undo path. Changing steps are create, set_align, add_extent,
 * clear, enable, claim, unclaim, disable, destroy and zero. May be called several times:
 * each call adds one failure.
 */
void daxc_kernel_sim_fail(DaxcKernel *kernel, guint after, int code);

/**
 * daxc_kernel_sim_hold:
 * @name: an instance that exists
 * @holder: (nullable): "process (pid)" that has it open from now on; NULL: nobody.
 *   For daxc_kernel_processes() there may be more: " mapped" when it has not only
 *   opened it, a guest's UUID, a path; and further processes after a ";"
 *
 * For tests.
 */
gboolean daxc_kernel_sim_hold(DaxcKernel *kernel, const char *name, const char *holder,
			      GError **error);

/**
 * daxc_kernel_sim_memory:
 * @address: of memory of a region
 * @offset: (out): where the byte of @address is in the file
 *
 * The memory of all regions, as one file: a byte is at its address less the lowest
 * region's start. For tests that play guests. Fails with DAXC_ERROR_INVALID when no
 * region has @address.
 *
 * Returns: a new descriptor, which the caller closes; -1 on failure.
 */
int daxc_kernel_sim_memory(DaxcKernel *kernel, guint64 address, guint64 *offset,
			   GError **error);

/**
 * daxc_kernel_sim_poison:
 * @address: of memory of a region
 *
 * From now on, for all processes, zeroing over @address fails with
 * DAXC_ERROR_MEMORY. For tests; there is no way back.
 */
gboolean daxc_kernel_sim_poison(DaxcKernel *kernel, guint64 address, GError **error);

void daxc_kernel_free(DaxcKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcKernel, daxc_kernel_free)

const char *daxc_kernel_name(const DaxcKernel *kernel);
const char *const *daxc_kernel_limits(const DaxcKernel *kernel);
guint daxc_kernel_guarantees(const DaxcKernel *kernel);

/* Returns: (transfer none): DaxcInstance.driver of one that can be mapped. */
const char *daxc_kernel_driver(const DaxcKernel *kernel);

/* Whether memory holds zeros when an instance gets it, by the kernel's work. Getting it
 * can then take as long as zeroing does. */
gboolean daxc_kernel_zeroes(const DaxcKernel *kernel);

/* Whether memory that is pinned goes to nobody else, by the kernel's work. */
gboolean daxc_kernel_minds_pins(const DaxcKernel *kernel);

/* All below fail with DAXC_ERROR_KERNEL, naming the attribute, when the kernel
 * says what cannot be: sizes of 0, ranges that overlap or leave their region, ... */

/* Returns: (transfer full) (element-type DaxcRegion): by id. */
GPtrArray *daxc_kernel_regions(DaxcKernel *kernel, GError **error);

/* Returns: (transfer full) (element-type DaxcInstance): by region, then number. */
GPtrArray *daxc_kernel_instances(DaxcKernel *kernel, GError **error);

/* Both at once: reading them is most of what a look at the kernel costs. */
gboolean daxc_kernel_look(DaxcKernel *kernel, GPtrArray **regions, GPtrArray **instances,
			  GError **error);

/* Returns: (transfer full): one instance; DAXC_ERROR_NOT_FOUND. */
DaxcInstance *daxc_kernel_instance(DaxcKernel *kernel, const char *name, GError **error);

/* Returns: (transfer full) (element-type utf8): processes, but for this one, that
 * have the instance open or mapped: "qemu-system-x86 (1234)". Fails when a process
 * cannot be looked into. DMA that is still pinned (VFIO) is not seen. */
GPtrArray *daxc_kernel_holders(DaxcKernel *kernel, const char *name, GError **error);

/* Whether another kernel driver has an instance of that name, with memory. */
gboolean daxc_kernel_is_elsewhere(DaxcKernel *kernel, const char *name);

/**
 * daxc_kernel_processes:
 * @instances: (element-type DaxcInstance): as they were found a moment ago
 *
 * Returns: (transfer full) (element-type DaxcProcess): the same for all instances in
 *   one pass, by pid; also who has a device open that is no instance any more.
 *   Devices of static regions, and those made since, are left out.
 */
GPtrArray *daxc_kernel_processes(DaxcKernel *kernel, const GPtrArray *instances,
				 GError **error);

/**
 * daxc_kernel_enforces:
 * @domain: (nullable): the cache in front of the region
 *
 * Returns: whether the kernel keeps the region's colors apart by itself, and means the
 *   same by them.
 */
gboolean daxc_kernel_enforces(DaxcKernel *kernel, guint region,
			      const DaxcCacheDomain *domain);

/**
 * daxc_kernel_color_owners:
 *
 * Returns: (transfer full) (element-type DaxcColorOwner): one for each color of
 *   @domain, in order; empty when the kernel does not keep them apart.
 */
GArray *daxc_kernel_color_owners(DaxcKernel *kernel, guint region,
				 const DaxcCacheDomain *domain, GError **error);

/*
 * The functions below change things. Instance numbers are reused at once, lowest
 * first, so callers serialize them, and what they know of names, with a lock.
 */

/**
 * daxc_kernel_tell_geometry:
 * @domain: (nullable): the cache in front of the region
 *
 * Before memory of a region is carved: sees to it that the kernel has its geometry, if
 * it can be told any. Listed ranges cannot be told: the kernel then gets none, and keeps
 * no colors apart there. Fails with DAXC_ERROR_REFUSED when it has another one, and
 * memory is in use that was handed out by it.
 */
gboolean daxc_kernel_tell_geometry(DaxcKernel *kernel, guint region,
				   const DaxcCacheDomain *domain, GError **error);

/* Asks a kernel that zeroes by itself to zero what is dirty, in the background. */
gboolean daxc_kernel_scrub(DaxcKernel *kernel, guint region, GError **error);

/**
 * DaxcKernelCarving: what is asked of daxc_kernel_carve().
 * @align: 2 MiB or 1 GiB; every start and size of an extent is a multiple of it, or the
 *   call is refused before the kernel sees it
 * @granule: bytes; extents are made of whole ones, but for the end of the last
 * @extents: (element-type DaxcExtent): in order of page offset
 * @tenant: (nullable): whose colors they are; NULL: nobody's
 */
typedef struct {
	guint region;
	guint64 align;
	guint64 granule;
	const GArray *extents;
	const char *tenant;
} DaxcKernelCarving;

/**
 * daxc_kernel_carve:
 * @name: (out) (transfer full): NULL on failure, but when undoing failed too and
 *   an instance is left, so that the caller can say so and retry its destruction
 *
 * create, set align and owner, add every extent, verify by reading back, enable,
 * verify. On failure what was made is taken back, last first. When the region's seed
 * still holds the whole region, unbound, it is emptied first.
 *
 * A kernel that zeroes by itself does so in between. That needs no lock, and so there
 * only an empty instance is made, for daxc_kernel_fill().
 *
 * Fails with DAXC_ERROR_INVALID on extents that are misaligned, overlap each other
 * or leave the region; DAXC_ERROR_REFUSED when an instance has part of them or a
 * seed that is in use has the region; DAXC_ERROR_BUSY when processes have that seed
 * open; DAXC_ERROR_KERNEL when a step failed or did something else than asked.
 */
gboolean daxc_kernel_carve(DaxcKernel *kernel, const DaxcKernelCarving *carving,
			   char **name, GError **error);

/**
 * DaxcDenied: a granule that the kernel does not give now.
 * @failed: its memory has failed; else it is pinned
 */
typedef struct {
	guint64 start;
	guint64 size;
	gboolean failed;
} DaxcDenied;

/**
 * daxc_kernel_fill:
 * @name: of the empty instance, which is the caller's own and stays
 * @denied: (element-type DaxcDenied): on failure, granules that the kernel does not
 *   give are appended, if it is for them
 *
 * What daxc_kernel_carve() has left to be done; nothing is left where the kernel does
 * not zero. Changes nothing that a lock is needed for. On failure the instance is
 * destroyed.
 *
 * Fails with DAXC_ERROR_BUSY when memory is still pinned, DAXC_ERROR_MEMORY when memory
 * has failed, DAXC_ERROR_REFUSED when a color is another owner's.
 */
gboolean daxc_kernel_fill(DaxcKernel *kernel, const DaxcKernelCarving *carving,
			  const char *name, GArray *denied, GError **error);

/* Whether instances can be claimed; else daxc_kernel_claim() does nothing. */
gboolean daxc_kernel_knows_claims(const DaxcKernel *kernel);

/**
 * daxc_kernel_claim:
 * @names: NULL-terminated: instances that are enabled, and claimed by nobody
 * @uuid: of the guest whose they are
 * @shared: they can be opened more than once
 *
 * All or none, read back. From now on the kernel opens each once, and takes nothing of
 * it away. Lasts until daxc_kernel_unclaim(), not as long as this process.
 *
 * Fails with DAXC_ERROR_BUSY when one is claimed, or open more than once.
 */
gboolean daxc_kernel_claim(DaxcKernel *kernel, const char *const *names, const char *uuid,
			   gboolean shared, GError **error);

/**
 * daxc_kernel_unclaim:
 *
 * Ends the claim that was found on @instance, however often it was made; there need not
 * be one. The caller knows that it is over. Fails with DAXC_ERROR_BUSY when it is that of
 * a module of the kernel's.
 */
gboolean daxc_kernel_unclaim(DaxcKernel *kernel, const DaxcInstance *instance,
			     GError **error);

/**
 * daxc_kernel_destroy:
 * @claimant: (nullable): UUID of whose claim ends with it
 *
 * unclaim, disable, clear, delete, verify: works from any state of an instance, and on
 * one that is gone. A seed is emptied, not deleted. On failure the instance is made
 * again what it was.
 *
 * Fails before anything is changed with DAXC_ERROR_BUSY while a process has it
 * open or mapped (mainline would unbind all the same) or another than @claimant has
 * claimed it, and with DAXC_ERROR_REFUSED while another driver than device_dax has it
 * (system RAM).
 */
gboolean daxc_kernel_destroy(DaxcKernel *kernel, const char *name, const char *claimant,
			     GError **error);

/**
 * daxc_kernel_zero:
 * @offset, @size: bytes of the instance, multiples of its align, within it
 * @options: (nullable): threads, rate and who may stop it; NULL: all 0
 * @bad: (out) (optional): with DAXC_ERROR_MEMORY: offset in the instance of the
 *   memory that failed, the lowest that was found; see daxc_extents_address()
 *
 * Writes zeros over a part of an enabled instance, and reads them back. Changes
 * nothing that a lock is needed for, if the caller knows that the instance is its own
 * and stays.
 *
 * Fails before anything is written with DAXC_ERROR_NOT_FOUND, DAXC_ERROR_KERNEL when
 * it is not enabled, DAXC_ERROR_INVALID on a range that cannot be, and on an instance
 * with misaligned extents, which reaches memory of others; later with
 * DAXC_ERROR_MEMORY (the message has the physical address), DAXC_ERROR_CANCELED, and
 * DAXC_ERROR_FAILED when the memory cannot be mapped or was taken away.
 */
gboolean daxc_kernel_zero(DaxcKernel *kernel, const char *name, guint64 offset,
			  guint64 size, const DaxcScrubOptions *options, guint64 *bad,
			  GError **error);

/**
 * daxc_extents_address:
 * @extents: (element-type DaxcExtent): in order of page offset
 * @offset: bytes from the start of the instance, less than its size
 *
 * Pure. Returns: physical address of that byte.
 */
guint64 daxc_extents_address(const GArray *extents, guint64 offset);

G_END_DECLS
