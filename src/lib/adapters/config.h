/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daxcolor.conf and host descriptions (--simulate): GLib key files with the
 * same [cache N] sections. Unknown sections and keys are errors, and so is one
 * that is there twice. A comment has a line of its own; those below are notes.
 *
 *   [daxcolor]                     # daxcolor.conf only
 *   zero = before-use              # or never
 *   kernel = auto                  # or dax_color, mainline
 *   wait = 30                      # seconds to wait for other processes
 *   qemu_conf = /etc/libvirt/qemu.conf
 *   zero_rate = 4GiB               # a second, in the background; default: no limit
 *   zero_threads = 8               # default: as many as help
 *   ledger_copy = /dev/blob-dax1.0 # a store of dax_color's, or a file
 *   bad = 0x140001000; 0x180000000-0x1801fffff   # memory that must not be used
 *
 *   [tenant acme]                  # daxcolor.conf only
 *   zero = other-tenants           # or before-use (default)
 *
 *   [cache 1]                      # the memory-side cache in front of node 1
 *   kind = rotate                  # rotate (default), skew, ranges
 *   size = 4GiB                    # of the cache; default: colors * granule
 *   colors = 4                     # default: size / granule
 *   granule = 1GiB                 # default: daxc_granule_for(size, base)
 *   base = 0x100000000             # default 0; rotate and skew
 *   extended_linear = false
 *   ranges = 0x100000000-0x13fffffff:0; 0x140000000-0x17fffffff:1
 *
 *   [host]                         # host descriptions only
 *   description = two-socket Xeon in memory mode
 *   distance = 10 21; 21 10        # SLIT rows
 *
 *   [region 0]                     # host descriptions only
 *   start = 0x100000000
 *   size = 8GiB
 *   node = 1
 *   align = 2MiB
 */
#pragma once

#include <daxcolor/geometry.h>
#include <daxcolor/host.h>

G_BEGIN_DECLS

typedef enum {
	DAXC_ZERO_BEFORE_USE, /* dirty granules are zeroed before a guest gets them */
	DAXC_ZERO_NEVER,      /* guests can read what the last one left: tests only */
} DaxcZeroPolicy;

typedef enum {
	DAXC_KERNEL_AUTO, /* dax_color where it has a region, else mainline */
	DAXC_KERNEL_DAX_COLOR,
	DAXC_KERNEL_MAINLINE,
} DaxcKernelChoice;

/**
 * DaxcConfig:
 * @zero_rate: bytes a second that zeroing may write while nobody waits for it; 0:
 *   no limit
 * @zero_threads: 0: as many as help
 * @ledger_copy: (nullable): where a copy of the ledger is kept
 * @bad: (element-type DaxcExtent): memory that the administrator found to be bad
 * @keepers: (element-type utf8): tenants who may get their own memory back as they
 *   left it
 * @domains: (element-type DaxcCacheDomain): from [cache N], by node; each one
 *   is what daxc_geometry_add() takes
 * @regions: (element-type DaxcRegion): host descriptions; by id, no overlap
 * @distances: (element-type guint8): n_nodes x n_nodes, row by row; empty
 *   when not given
 */
typedef struct {
	DaxcZeroPolicy zero;
	DaxcKernelChoice kernel;
	guint wait_ms;
	char *qemu_conf;
	char *ledger_copy;
	guint64 zero_rate;
	guint zero_threads;
	GArray *bad;
	GHashTable *keepers;
	GPtrArray *domains;
	char *description;
	GPtrArray *regions;
	GArray *distances;
	guint n_nodes;
} DaxcConfig;

/* Everything at its default. */
DaxcConfig *daxc_config_new(void);
void daxc_config_free(DaxcConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaxcConfig, daxc_config_free)

/**
 * daxc_config_load:
 * @must_exist: else a missing file means all defaults
 *
 * Fails with DAXC_ERROR_INVALID, naming file, section and key, or
 * DAXC_ERROR_NOT_FOUND.
 */
DaxcConfig *daxc_config_load(const char *path, gboolean must_exist, GError **error);

/* A host description: at least one region, no [daxcolor] section, no [cache N]
 * whose node no region has. */
DaxcConfig *daxc_config_load_host(const char *path, GError **error);

/**
 * daxc_config_parse:
 * @name: what messages call the text: its path
 * @text: UTF-8, with a NUL after its @length bytes
 * @host: a host description, not daxcolor.conf
 */
DaxcConfig *daxc_config_parse(const char *name, const char *text, gsize length,
			      gboolean host, GError **error);

G_END_DECLS
