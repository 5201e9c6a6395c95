/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit: whether the promises are kept, from the kernel's own view: the
 * ranges of every instance and the processes that have them open or mapped.
 * What the ledger and libvirt say is compared with that, never believed.
 */
#pragma once

#include <daxcolor/host.h>

G_BEGIN_DECLS

/**
 * DaxcProcess: a process that has a device-dax device open or mapped.
 * @instance: (nullable): "daxR.N"; NULL when the device is no instance any more
 * @major, @minor: of the device; 0, 0 on a simulated host
 * @name: as the kernel has it ("qemu-system-x86")
 * @path: (nullable): by which name it has it
 * @uuid: (nullable): what its command line says after "-uuid", canonical: the
 *   guest that it is the QEMU of
 */
typedef struct {
	char *instance;
	guint major;
	guint minor;
	gint pid;
	char *name;
	gboolean open;
	gboolean mapped;
	char *path;
	char *uuid;
} DaxcProcess;

void daxc_process_free(DaxcProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcProcess, daxc_process_free)

/**
 * DaxcGuest: a running domain, as libvirt shows it.
 * @id: libvirt's id of it
 * @tenant: (nullable): by its live metadata, NULL when it has none of ours
 * @cells: how many cells its metadata and NUMA topology have
 * @settled: its QEMU runs, and neither starts nor ends
 * @fault: (nullable): why its metadata cannot be read
 */
typedef struct {
	char *uuid;
	char *name;
	gint id;
	char *tenant;
	guint cells;
	gboolean settled;
	char *fault;
} DaxcGuest;

void daxc_guest_free(DaxcGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcGuest, daxc_guest_free)

/**
 * daxc_guest_read:
 * @xml: of a running domain
 *
 * Returns: (transfer full): a guest that is not settled. Our metadata in it may
 *   be anything, which @fault then says. Fails with DAXC_ERROR_INVALID when it
 *   is no domain.
 */
DaxcGuest *daxc_guest_read(const char *xml, GError **error);

/**
 * DaxcAuditNode: a device node of an instance.
 * @mode: permission bits
 */
typedef struct {
	char *path;
	guint uid;
	guint gid;
	guint mode;
} DaxcAuditNode;

/**
 * DaxcAuditInstance: one instance, and all that was found out about it.
 * @colors: (element-type guint32): of the memory it has, ascending
 * @carving: (transfer none) (nullable): what explains it
 * @uuid: (nullable): whose it is: of the QEMU that has it, else the carving's
 * @tenant: (nullable): whose colors these are
 * @processes: (element-type DaxcProcess)
 * @nodes: (element-type DaxcAuditNode): below /dev and in libvirt's memory
 *   directories
 */
typedef struct {
	DaxcInstance *instance;
	gint node;
	GArray *colors;
	const DaxcCarving *carving;
	char *uuid;
	char *tenant;
	GPtrArray *processes;
	GPtrArray *nodes;
} DaxcAuditInstance;

/**
 * DaxcBreach: one broken promise, or what lets one be broken.
 * @code: (transfer none): stable, for scripts: "color-shared"; daxcolor(1) has
 *   the list
 * @what: which thing it is about: "dax0.3", "guest web1 cell 0"
 * @why: what was found and why it matters
 * @remedy: what to do
 * @passing: a guest that is just starting or ending may look like this: look
 *   again in a moment
 */
typedef struct {
	const char *code;
	char *what;
	char *why;
	char *remedy;
	gboolean passing;
} DaxcBreach;

void daxc_breach_free(DaxcBreach *breach);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcBreach, daxc_breach_free)

/**
 * DaxcAudit:
 * @host: the host's name
 * @kernel: release of the running kernel
 * @time: UTC, ISO 8601
 * @zeroing: (transfer none): when granules are zeroed: "before-use", "never",
 *   "by-kernel"
 * @config, @ledger: paths, NULL where there is none
 * @ledger_fault: (nullable): why the ledger could not be read; then nothing was
 *   compared with it
 * @asked: libvirt was asked; else guests were not compared with it
 * @regions: (element-type DaxcRegion)
 * @instances: (element-type DaxcAuditInstance): all, in order of name
 * @carvings: (element-type DaxcCarving): as the ledger has them
 * @reservations: (element-type DaxcReservation)
 * @keepers: (transfer full): tenants whose guests may read what other guests of
 *   theirs left, NULL-terminated
 * @guests: (element-type DaxcGuest) (nullable): as given
 * @processes: how many have a device-dax device open or mapped
 * @breaches: (element-type DaxcBreach)
 */
typedef struct {
	char *host;
	char *boot_id;
	char *kernel;
	char *time;
	const char *zeroing;
	char *config;
	char *ledger;
	char *ledger_fault;
	gboolean asked;
	GPtrArray *regions;
	GPtrArray *instances;
	GPtrArray *carvings;
	GPtrArray *reservations;
	char **keepers;
	GPtrArray *guests;
	guint processes;
	GPtrArray *breaches;
} DaxcAudit;

/**
 * daxc_host_audit:
 * @host: opened with read_only and distrust_ledger
 * @guests: (element-type DaxcGuest) (nullable): every domain that libvirt
 *   runs; NULL when it was not asked
 *
 * Changes nothing, and takes no lock that others would wait for. Work of other
 * processes that goes on meanwhile is no breach: what was found while the
 * ledger changed is looked for again.
 *
 * Returns: (transfer full): what was found. Fails when something cannot be
 *   looked at, a process or a file: it might be the breach.
 */
DaxcAudit *daxc_host_audit(DaxcHost *host, GPtrArray *guests, GError **error);

void daxc_audit_free(DaxcAudit *audit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcAudit, daxc_audit_free)

/**
 * daxc_host_adopt:
 * @guests: (element-type DaxcGuest): the running guests
 * @report: (out) (transfer full) (element-type utf8): a sentence for each instance
 *   that was, or could not be, adopted
 *
 * For a host that has lost its ledger: an instance that no carving explains is
 * recorded as that of the running guest in whose memory directory its node is,
 * when its memory is made of whole granules and nobody else's color is in it. All
 * others are left as they are: nobody gets their memory or colors.
 */
gboolean daxc_host_adopt(DaxcHost *host, const GPtrArray *guests, GPtrArray **report,
			 GError **error);

G_END_DECLS
