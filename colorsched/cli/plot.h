/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A simulation as a picture. */
#pragma once

#include "colorsched/sim/simulate.h"

/* Returns: (transfer full): an SVG document. */
char *sched_plot(const SchedReport *report);
