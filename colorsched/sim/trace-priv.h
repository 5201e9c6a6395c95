/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For those who make traces. */
#pragma once

#include "colorsched/sim/trace.h"

typedef struct {
	SchedTraceStatus (*next)(SchedTrace *trace, SchedGuest *guest, GError **error);
	void (*free)(SchedTrace *trace);
} SchedTraceKind;

/* Stands first in each kind of trace. */
struct SchedTrace {
	const SchedTraceKind *kind;
};
