/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of driver/space.c that is slow and plain, one entry for each 2 MiB, and
 * does whatever bytes say on both; for the unit test and for the fuzzer.
 */
#pragma once

#include <glib.h>

/*
 * Makes a space, a geometry and instances out of @data and then, as long as there
 * is some, operations on them, with allocations that fail among them. Aborts where
 * the space or the extents differ from the model.
 *
 * Returns: how many operations it did.
 */
guint space_model_run(const guint8 *data, gsize size);
