/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at a state directory with eyes of its own: what the simulated kernel has,
 * what the ledger says, and whether the promise is kept.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Judge Judge;

/* @host: a host description whose cache domains rotate. Exits when it is none. */
Judge *judge_new(const char *host);
void judge_free(Judge *judge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Judge, judge_free)

/**
 * judge_look:
 * @state: a state directory; a missing one is an empty host
 * @settled: no work may be going on or be unfinished
 *
 * Returns: (transfer full) (element-type utf8): sentences, one for each breach:
 *   memory that two have, a color of two tenants, an instance nobody explains, a
 *   carving without its instance or its claim, a granule held by nobody, one that is said
 * to be clean and is not, a ledger that fails its own check.
 */
GPtrArray *judge_look(Judge *judge, const char *state, gboolean settled);

/* Returns: (transfer full): every carving of @state with its instance and ranges, one
 * a line, then what is reserved; (nullable) @uuid: this guest's carvings only. Ids,
 * which are never used again, are not in it. */
char *judge_carvings(Judge *judge, const char *state, const char *uuid);

/* Plays a guest: writes @pattern at the beginning and the end of each of its
 * granules. Returns: FALSE when it has no memory. */
gboolean judge_fill(Judge *judge, const char *state, const char *uuid, guint8 pattern);

/* Returns: whether all memory of the guest holds zeros. */
gboolean judge_is_zero(Judge *judge, const char *state, const char *uuid);

/* Memory at @address fails whenever it is zeroed. */
gboolean judge_poison(Judge *judge, const char *state, guint64 address);

/* Returns: (transfer full): every instance of the kernel's and whose it is, one a line.
 */
char *judge_instances(Judge *judge, const char *state);

G_END_DECLS
