/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of colorsched. */
#pragma once

#include "cli/cli.h"

extern const CliVerb sched_hosts;
extern const CliVerb sched_place;
extern const CliVerb sched_plan;
extern const CliVerb sched_register;
extern const CliVerb sched_release;
extern const CliVerb sched_show;
extern const CliVerb sched_simulate_verb;
extern const CliVerb sched_tenants;
extern const CliVerb sched_trace_verb;
