/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet described in a file: a key file like daxcolor.conf(5)'s host descriptions,
 * which it names. Unknown sections and keys are errors.
 *
 *   [model xeon]
 *   host = ../hosts/xeon-memory-mode.host   # path, from this file's directory
 *
 *   [hosts rack-a]                          # hosts rack-a-1 to rack-a-20
 *   model = xeon
 *   count = 20                              # default 1
 *   aggregates = gold; rack-a               # default none
 *   traits = CUSTOM_CXL                     # default none
 */
#pragma once

#include "adapters/config.h"
#include "colorsched/core/fleet.h"

G_BEGIN_DECLS

/**
 * sched_fleet_load:
 *
 * Returns: (transfer full): the fleet, all hosts empty. Fails with DAXC_ERROR_INVALID,
 *   naming file, section and key, or DAXC_ERROR_NOT_FOUND.
 */
SchedFleet *sched_fleet_load(const char *path, GError **error);

/**
 * sched_fleet_parse:
 * @name: what messages call the text: its path
 * @text: with a NUL after its @length bytes
 * @load_host: reads what "host" names
 */
SchedFleet *sched_fleet_parse(const char *name, const char *text, gsize length,
			      DaxcConfig *(*load_host)(const char *path, GError **error),
			      GError **error);

G_END_DECLS
