/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine that a verb works with. */
#pragma once

#include "cli/cli.h"
#include "colorsched/engine/placement.h"

/* Entries of GOptionEntry that all verbs share. */
extern const GOptionEntry sched_engine_options[];

/* Returns: (nullable): the engine; on NULL the reason was said, with @status. */
SchedEngine *sched_cli_engine(const Cli *cli, CliStatus *status);
